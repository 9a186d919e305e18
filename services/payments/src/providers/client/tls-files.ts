import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { ProviderAccount } from '../accounts.js'

/** PEM, as the TLS options of Node have it. */
export interface TlsOptions {
  /** Instead of the public CAs. */
  readonly ca?: string
  /** The account's certificate, followed by those of intermediate CAs. */
  readonly cert?: string
  readonly key?: string
}

type TlsFields = Pick<ProviderAccount, 'caFile' | 'clientCertFile'>

type OnFault = (field: keyof TlsFields, message: string) => void

/** The files of an account that TLS needs. */
export class TlsFiles {
  private loaded: TlsOptions

  /** @param onFault called with each field that has no usable file, and what would be right */
  constructor(
    private readonly account: Pick<ProviderAccount, 'name'> & TlsFields,
    onFault: OnFault,
  ) {
    this.loaded = read(account, onFault)
  }

  get options(): TlsOptions {
    return this.loaded
  }

  /**
   * Reads the files again, which are replaced before their certificates expire.
   *
   * @returns whether they have changed
   * @throws Error if a file can't be used; the previous content stays in use
   */
  async reload(): Promise<boolean> {
    const faults: string[] = []
    const files = read(this.account, (field, message) => void faults.push(`${field} ${message}`))
    if (faults.length > 0) {
      const unusable = `account ${this.account.name}: ${faults.join(', ')}`
      throw new Error(`${unusable}: the previous certificates stay in use`)
    }
    if (isDeepStrictEqual(files, this.loaded)) return false
    this.loaded = files
    return true
  }
}

function read({ caFile, clientCertFile }: TlsFields, onFault: OnFault): TlsOptions {
  const pemOf = (
    field: keyof TlsFields,
    path: string | undefined,
    check: (pem: string) => void,
  ) => {
    if (path === undefined) return undefined
    try {
      const pem = readFileSync(path, 'utf8')
      check(pem)
      return pem
    } catch {
      onFault(field, MESSAGES[field])
      return undefined
    }
  }
  const ca = pemOf('caFile', caFile, checkCertificates)
  const cert = pemOf('clientCertFile', clientCertFile, checkIdentity)
  return { ca, cert, key: cert }
}

const MESSAGES = {
  caFile: 'must name a readable file with certificates in PEM',
  clientCertFile: 'must name a readable file with a certificate and its private key in PEM',
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

function checkCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(CERTIFICATE) ?? []
  if (blocks.length === 0) throw new Error('no certificate')
  return blocks.map((block) => new X509Certificate(block))
}

function checkIdentity(pem: string) {
  const [certificate] = checkCertificates(pem)
  if (!certificate?.checkPrivateKey(createPrivateKey(pem))) throw new Error('another private key')
}

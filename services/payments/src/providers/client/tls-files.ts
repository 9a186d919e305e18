import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
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

/**
 * Reads the files of an account that TLS needs.
 *
 * @param onFault called with each field that has no usable file, and what would be right
 */
export function readTlsFiles(
  { caFile, clientCertFile }: TlsFields,
  onFault: (field: keyof TlsFields, message: string) => void,
): TlsOptions {
  const read = (field: keyof TlsFields, path: string | undefined, check: (pem: string) => void) => {
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
  const ca = read('caFile', caFile, checkCertificates)
  const cert = read('clientCertFile', clientCertFile, checkIdentity)
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

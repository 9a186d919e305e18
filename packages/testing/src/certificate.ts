import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The files of a self-signed certificate, which is its own CA. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** Creates a certificate with openssl. @param names such as `DNS:localhost` and `IP:127.0.0.1` */
export async function createCertificate(
  folder: string,
  ...names: readonly string[]
): Promise<Certificate> {
  const files = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2']
  const subject = ['-subj', '/CN=malipo test', '-addext', `subjectAltName=${names.join(',')}`]
  const output = ['-keyout', files.key, '-out', files.cert]
  await promisify(execFile)('openssl', ['req', '-x509', ...key, ...subject, ...output])
  return files
}

import { readFileSync } from 'node:fs'

/**
 * TLS options that read the CA file for each new connection, so that a renewed certificate needs no restart.
 * Pass on the object itself: a copy would keep the file's content at the time of copying.
 */
export function tlsOptions(caFile: string | undefined) {
  if (!caFile) return { rejectUnauthorized: true }
  let lastRead = readFileSync(caFile, 'utf8')
  return {
    rejectUnauthorized: true,
    // The driver reads this property while it connects. An exception there would end the process.
    get ca() {
      try {
        lastRead = readFileSync(caFile, 'utf8')
      } catch {
        // The file is being replaced: continue with the certificate that was read last, which may still be
        // valid.
      }
      return lastRead
    },
  }
}

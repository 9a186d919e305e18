import { readFileSync } from 'node:fs'

/**
 * TLS options that read the CA file for each new connection, so that a renewed certificate needs no
 * restart. Pass the object itself on: a copy would hold the file's content of that moment.
 */
export function tlsOptions(caFile: string | undefined) {
  if (!caFile) return { rejectUnauthorized: true }
  let lastRead = readFileSync(caFile, 'utf8')
  return {
    rejectUnauthorized: true,
    // The driver reads this while it connects, where an exception would end the process.
    get ca() {
      try {
        lastRead = readFileSync(caFile, 'utf8')
      } catch {
        // The file is being replaced: the last certificate that was read may still be valid.
      }
      return lastRead
    },
  }
}

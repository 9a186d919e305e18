import { readFileSync } from 'node:fs'

/** Credentials in files are read for each new connection, so that renewing them needs no restart. */

/** A secret given directly or in a file, which takes precedence. The file's last line break is removed. */
export function readSecret(
  value: string | undefined,
  path: string | undefined,
): string | undefined {
  return path ? readFileSync(path, 'utf8').replace(/\r?\n$/, '') : value
}

/** TLS options that verify the server. Pass on the object itself: a copy would not read the file again. */
export function tlsOptions(caFile: string | undefined) {
  if (!caFile) return { rejectUnauthorized: true }
  let lastRead = readFileSync(caFile, 'utf8')
  return {
    rejectUnauthorized: true,
    get ca() {
      try {
        lastRead = readFileSync(caFile, 'utf8')
      } catch {
        // The file is being replaced. An exception while the driver connects would end the process.
      }
      return lastRead
    },
  }
}

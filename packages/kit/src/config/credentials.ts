import { readFileSync } from 'node:fs'

/** Credential files are read again for each new connection, so that rotated credentials need no restart. */

/** Returns `value`, or the content of the file without its last line break if `path` is set. */
export function readSecret(
  value: string | undefined,
  path: string | undefined,
): string | undefined {
  return path ? readFileSync(path, 'utf8').replace(/\r?\n$/, '') : value
}

/** TLS options that verify the server. Pass the object itself: a copy would not read the file again. */
export function tlsOptions(caFile: string | undefined) {
  if (!caFile) return { rejectUnauthorized: true }
  let lastRead = readFileSync(caFile, 'utf8')
  return {
    rejectUnauthorized: true,
    get ca() {
      try {
        lastRead = readFileSync(caFile, 'utf8')
      } catch {
        // The file may be missing during its replacement. An exception in the driver would end the process.
      }
      return lastRead
    },
  }
}

/**
 * Returns a function that reads a secret for each new connection. While its file is missing, as during its
 * replacement, the function returns the last value: an exception in a driver would end the process.
 */
export function secretReader(value: string | undefined, path: string | undefined) {
  let lastRead = readSecret(value, path)
  return () => {
    try {
      lastRead = readSecret(value, path)
    } catch {
      // The next connection reads it again.
    }
    return lastRead
  }
}

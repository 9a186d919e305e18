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
  const ca = lastReadable(() => readFileSync(caFile, 'utf8'))
  return {
    rejectUnauthorized: true,
    get ca() {
      return ca()
    },
  }
}

/** Returns a function that reads a secret for each new connection. */
export function secretReader(value: string | undefined, path: string | undefined) {
  return lastReadable(() => readSecret(value, path))
}

/**
 * Returns a function that reads a file again. While the file is missing, as during its replacement, it returns
 * the last value: an exception in a driver would end the process.
 */
function lastReadable<T>(read: () => T): () => T {
  let lastRead = read()
  return () => {
    try {
      lastRead = read()
    } catch {
      // The next connection reads it again.
    }
    return lastRead
  }
}

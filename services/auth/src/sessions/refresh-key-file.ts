import { readFileSync } from 'node:fs'

/** RFC 2104, section 3: a key shorter than the hash's output, 32 bytes for SHA-256, weakens the HMAC. */
const MIN_KEY_BYTES = 32

/** The file has no valid keys. The message continues the name of the variable. */
export class RefreshKeyError extends Error {
  override readonly name = 'RefreshKeyError'
}

/**
 * Parses the keys of a file, one per line. The first key derives successors. The others only repeat
 * successors that they derived before.
 *
 * @throws RefreshKeyError if the file has no key, or a short one
 */
export function parseRefreshKeys(text: string): Buffer[] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '')
  if (lines.length === 0) throw new RefreshKeyError('has no key')
  const keys = lines.map((line) => Buffer.from(line))
  const short = keys.findIndex((key) => key.length < MIN_KEY_BYTES)
  if (short < 0) return keys
  throw new RefreshKeyError(`must have keys of at least ${MIN_KEY_BYTES} bytes (key ${short + 1})`)
}

export function readRefreshKeys(path: string): Buffer[] {
  return parseRefreshKeys(readFileSync(path, 'utf8'))
}

import { readFileSync } from 'node:fs'
import type { Check } from './env.js'

/** RFC 2104, section 3: a key shorter than the hash's output, 32 bytes for SHA-256, weakens the HMAC. */
const MIN_KEY_BYTES = 32

/** The file has no valid keys. The message continues the name of the variable. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
}

/**
 * Parses the HMAC keys of a file, one per line. The first key is the current one, the others are accepted.
 *
 * @throws KeyFileError if the file has no key, or a short one
 */
export function parseKeys(text: string): Buffer[] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '')
  if (lines.length === 0) throw new KeyFileError('has no key')
  const keys = lines.map((line) => Buffer.from(line))
  const short = keys.findIndex((key) => key.length < MIN_KEY_BYTES)
  if (short < 0) return keys
  throw new KeyFileError(`must have keys of at least ${MIN_KEY_BYTES} bytes (key ${short + 1})`)
}

export function readKeyFile(path: string): Buffer[] {
  return parseKeys(readFileSync(path, 'utf8'))
}

/**
 * Checks the key file that a variable names: it has valid keys.
 *
 * @param isRequired whether it is required in `live`
 */
export function checkKeyFile<Name extends string>(
  name: Name,
  isRequired = true,
): Check<Record<Name, string | undefined> & { readonly MODE: string }> {
  return (env) => {
    const path = env[name]
    const isMissing = isRequired && env.MODE === 'live'
    if (!path) return isMissing ? { [name]: 'is required when MODE is live' } : {}
    try {
      readKeyFile(path)
      return {}
    } catch (error) {
      if (error instanceof KeyFileError) return { [name]: error.message }
      throw error
    }
  }
}

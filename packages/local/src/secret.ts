import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * The secret in this file, generated on first use. It survives restarts, so that tokens stay valid. Only
 * the file's owner can read it.
 */
export function persistentSecret(path: string, generate: () => string = randomHex): string {
  return readFileSync(persistentSecretFile(path, generate), 'utf8')
}

/** The path of such a file, for a service that reads the file itself. */
export function persistentSecretFile(path: string, generate: () => string = randomHex): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  try {
    // `wx` rejects an existing file: of two concurrent starts, the second reads the secret of the first.
    writeFileSync(path, generate(), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return path
}

/** 256 random bits, encoded in characters that never need quoting. */
export function randomHex(): string {
  return randomBytes(32).toString('hex')
}

/** A signing secret in the format of Standard Webhooks. */
export function randomWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/** A folder with a key that seals values at rest: a symmetric JWK in `first.json`. */
export function sealKeysFolder(folder: string): string {
  const k = () => randomBytes(32).toString('base64url')
  const jwk = () => JSON.stringify({ kty: 'oct', kid: 'first', k: k(), nbf: 0 })
  return dirname(persistentSecretFile(join(folder, 'first.json'), jwk))
}

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * The secret kept in this file, made on first use. It stays the same over restarts, so that tokens
 * do too, and only its owner can read it.
 */
export function keptSecret(path: string, make: () => string = randomHex): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  try {
    // Fails when the file is there, so that of two starts at once both end up with one secret.
    writeFileSync(path, make(), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(path, 'utf8')
}

/** 256 random bits in characters that need no quoting anywhere. */
export function randomHex(): string {
  return randomBytes(32).toString('hex')
}

/** A signing secret in the form that Standard Webhooks defines. */
export function randomWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

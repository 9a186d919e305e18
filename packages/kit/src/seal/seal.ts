import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { SealKey } from './seal-keys.js'

const ALGORITHM = 'aes-256-gcm'
/** NIST SP 800-38D, section 8.2.2: a random nonce of 96 bits serves 2^32 values of one key. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** A value that only the holder of the key reads or changes. */
export interface Sealed {
  /** The key that sealed it. */
  readonly kid: string
  /** The nonce, the ciphertext and the tag. Two results of one value differ. */
  readonly bytes: Buffer
}

/** A value can't be opened. The message contains neither the value nor key material. */
export class UnsealError extends Error {
  override readonly name = 'UnsealError'
}

/** Encrypts and authenticates a value. `subject` is authenticated too: the value opens for no other subject. */
export function seal({ kid, key }: SealKey, subject: string, value: Buffer): Sealed {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(subject))
  const ciphertext = Buffer.concat([cipher.update(value), cipher.final()])
  return { kid, bytes: Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]) }
}

/**
 * Decrypts a value.
 *
 * @throws UnsealError if the key is not in the set, or the value was changed or sealed for another subject
 */
export function unseal(keys: readonly SealKey[], subject: string, { kid, bytes }: Sealed): Buffer {
  const found = keys.find((each) => each.kid === kid)
  if (!found) throw new UnsealError('the key that sealed the value is not in the key set')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new UnsealError('the sealed value is too short')
  const decipher = createDecipheriv(ALGORITHM, found.key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(subject)).setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([
      decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ])
  } catch {
    throw new UnsealError('the sealed value was changed, or sealed for another subject')
  }
}

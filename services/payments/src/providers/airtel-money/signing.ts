import {
  constants,
  createCipheriv,
  createPublicKey,
  type KeyObject,
  publicEncrypt,
} from 'node:crypto'
import { objectOf, retryAfterOf, textAt, valueAt } from '../json-answer.js'
import type { CallResult, GrantReading } from '../reading.js'

/**
 * Message signing of Airtel Money v2: https://developers.airtel.africa, "Message signing". The body is encrypted with
 * AES-256 in CBC mode, and its key with the RSA key of the application.
 */

const AES_KEY_BYTES = 32
const AES_IV_BYTES = 16

/**
 * The headers that sign a body.
 *
 * @param key the RSA key that Airtel issued, in base64
 * @param random at least 48 random bytes
 */
export function signatureOf(body: Uint8Array, key: string, random: Uint8Array) {
  const aesKey = Buffer.from(random.subarray(0, AES_KEY_BYTES))
  const iv = Buffer.from(random.subarray(AES_KEY_BYTES, AES_KEY_BYTES + AES_IV_BYTES))
  const cipher = createCipheriv('aes-256-cbc', aesKey, iv)
  const signature = Buffer.concat([cipher.update(body), cipher.final()])
  const keyAndIv = Buffer.from(`${aesKey.toString('base64')}:${iv.toString('base64')}`)
  // RFC 8017, section 7.2, which Airtel requires. Its padding is random.
  const rsa = { key: publicKeyOf(key), padding: constants.RSA_PKCS1_PADDING }
  return {
    'x-signature': signature.toString('base64'),
    'x-key': publicEncrypt(rsa, keyAndIv).toString('base64'),
  }
}

/** Airtel states until when the key is valid in a time without a zone, so that it is renewed hourly. */
const KEY_LIFETIME_SECONDS = 3_600

/** PKCS #1 padding needs 11 bytes, and the AES key with its IV has 69: a key of 512 bits is too short. */
const MIN_KEY_BITS = 1_024
/** A key in base64 of 8192 bits has about 1400 characters. */
const MAX_KEY_LENGTH = 4_096

/** The answer to GET encryption-keys: granted only with a key that can encrypt. */
export function readEncryptionKey(result: CallResult): GrantReading {
  if (result.phase !== 'answered') return { kind: 'unavailable' }
  const body = objectOf(result.body)
  const providerCode = textAt(body, 'status', 'response_code') ?? textAt(body, 'error')
  const key = valueAt(body, 'data', 'key')
  if (result.status === 200 && typeof key === 'string' && isUsableKey(key)) {
    return { kind: 'granted', value: key, lifetimeSeconds: KEY_LIFETIME_SECONDS }
  }
  if (result.status === 403) return { kind: 'refused', providerCode }
  return { kind: 'unavailable', providerCode, retryAfterSeconds: retryAfterOf(result.headers) }
}

function isUsableKey(key: string): boolean {
  if (key.length > MAX_KEY_LENGTH) return false
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = publicKeyOf(key)
    return asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_KEY_BITS
  } catch {
    return false
  }
}

/** SubjectPublicKeyInfo (RFC 5280) in DER and base64. */
function publicKeyOf(key: string): KeyObject {
  return createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' })
}

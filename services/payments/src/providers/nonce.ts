import { createHmac, timingSafeEqual } from 'node:crypto'

/** 128 bits: 22 characters of base64url (RFC 4648, section 5). */
const BYTES = 16

/**
 * The secret part of an attempt's callback URL. It is derived, so that a right one is recognised before any query, and
 * also by a replica whose restored database lacks the attempt.
 *
 * @param key at least 32 bytes (RFC 2104, section 3)
 * @param account its name
 * @param attemptId UUID in lower case
 */
export function nonceOf(key: Uint8Array, account: string, attemptId: string): string {
  // A list in JSON has one reading only, whatever its strings contain.
  const message = JSON.stringify(['callback', account, attemptId])
  const digest = createHmac('sha256', key).update(message).digest()
  return digest.subarray(0, BYTES).toString('base64url')
}

/** Whether one of the keys makes this nonce. The time depends neither on the nonce nor on which key it is. */
export function isNonce(
  keys: readonly Uint8Array[],
  account: string,
  attemptId: string,
  given: string,
): boolean {
  const bytes = Buffer.from(given)
  let isRight = false
  for (const key of keys) {
    const expected = Buffer.from(nonceOf(key, account, attemptId))
    const isEqual = bytes.length === expected.length && timingSafeEqual(bytes, expected)
    isRight = isEqual || isRight
  }
  return isRight
}

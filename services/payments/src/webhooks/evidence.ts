import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { parseTime } from '@malipo/kit/http/time'
import { referenceOf } from '../payments/payment.view.js'
import type { Reading } from './messages.store.js'
import {
  type ProviderSecret,
  signatureHeaders,
  type SignatureHeaders,
  wasSignedBy,
} from './signature.js'

/** Verifies stored messages: whether a provider signed what the database says that it sent. */

/** A row of `provider_messages`. */
export interface StoredMessage {
  readonly id: string
  /** `provider:{name}` or `user:{sub}`. */
  readonly source: string
  readonly webhookId: string
  /** Null for a conflict. */
  readonly paymentId: string | null
  /** Null without a signature. */
  readonly keyId: string | null
  readonly headers: Partial<SignatureHeaders>
  readonly body: Buffer
  /** SHA-256 of the body, hexadecimal. */
  readonly bodyHash: string
  readonly reading: Reading
  readonly outcome: string
  readonly occurredAt: string | null
  readonly receivedAt: string
  /** When the body was replaced, together with the payer's data; null if it was not. */
  readonly erasedAt: string | null
}

/**
 * - `valid`: the key signed these bytes, and the other columns say the same as the bytes.
 * - `erased`: the body was erased together with the personal data of its payer: docs/data.md.
 * - `unsigned`: a user sent the message with a token, so there is nothing to verify.
 * - `key_missing`: no secret with the message's key id is configured, neither as active nor as retired.
 * - `invalid`: the key did not sign these bytes with this id and timestamp, or a provider's message has no key.
 * - `contradictory`: the key signed the bytes, but another column says something else.
 */
export type Verification =
  'valid' | 'erased' | 'unsigned' | 'key_missing' | 'invalid' | 'contradictory'

/** @param secrets the active and the retired secrets */
export function verifyMessage(
  message: StoredMessage,
  secrets: readonly ProviderSecret[],
): Verification {
  const { source, keyId, body, erasedAt } = message
  if (erasedAt !== null) return 'erased'
  if (keyId === null) return source.startsWith('user:') ? 'unsigned' : 'invalid'
  const candidates = secrets.filter((secret) => secret.keyId === keyId)
  if (candidates.length === 0) return 'key_missing'
  const headers = signatureHeaders(message.headers)
  if (!headers) return 'invalid'
  const signers = candidates.filter((secret) => wasSignedBy(secret, body, headers))
  if (signers.length === 0) return 'invalid'
  const isConsistent =
    signers.some(({ provider }) => source === `provider:${provider}`) &&
    message.webhookId === headers['webhook-id'] &&
    message.bodyHash === hash('sha256', body, 'hex') &&
    isRead(message) &&
    isOfPayment(message)
  return isConsistent ? 'valid' : 'contradictory'
}

/** Whether the body has exactly the fields that the service acted on. */
function isRead({ body, reading, occurredAt }: StoredMessage): boolean {
  const fields = parseObject(body)
  const stated = Object.keys(reading).map((name) => [name, fields[name]] as const)
  return (
    (parseTime(fields['timestamp'])?.toISOString() ?? null) === occurredAt &&
    isDeepStrictEqual(reading, Object.fromEntries(stated))
  )
}

function isOfPayment({ paymentId, reading, outcome }: StoredMessage): boolean {
  return paymentId === null ? outcome === 'conflict' : reading.reference === referenceOf(paymentId)
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

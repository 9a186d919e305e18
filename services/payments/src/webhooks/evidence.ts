import { parseTime } from '@malipo/kit/http/time'
import type { Reading } from './messages.store.js'
import { type ProviderSecret, type SignatureHeaders, wasSignedBy } from './signature.js'

/** Verifies stored messages: whether a provider signed what the database says that it sent. */

/** A row of `provider_messages`. */
export interface StoredMessage {
  readonly id: string
  /** `provider:{name}` or `user:{sub}`. */
  readonly source: string
  readonly webhookId: string
  /** Null without a signature. */
  readonly keyId: string | null
  readonly headers: Partial<SignatureHeaders>
  readonly body: Buffer
  readonly reading: Reading
  readonly outcome: string
  readonly occurredAt: Date | null
  readonly receivedAt: Date
}

/**
 * - `valid`: the key signed these bytes, and the other columns say the same as the bytes.
 * - `unsigned`: a user sent the message with a token, so there is nothing to verify.
 * - `key_missing`: no secret with the message's key id is configured, neither as active nor as retired.
 * - `invalid`: the key did not sign these bytes with this id and timestamp.
 * - `contradictory`: the key signed the bytes, but another column says something else.
 */
export type Verification = 'valid' | 'unsigned' | 'key_missing' | 'invalid' | 'contradictory'

/** @param secrets the active and the retired secrets */
export function verifyMessage(
  message: StoredMessage,
  secrets: readonly ProviderSecret[],
): Verification {
  const { keyId, headers, body } = message
  if (keyId === null) return 'unsigned'
  const candidates = secrets.filter((secret) => secret.keyId === keyId)
  if (candidates.length === 0) return 'key_missing'
  if (!hasAll(headers)) return 'invalid'
  const signers = candidates.filter((secret) => wasSignedBy(secret, body, headers))
  if (signers.length === 0) return 'invalid'
  const isFromSigner = signers.some(({ provider }) => message.source === `provider:${provider}`)
  const isConsistent =
    isFromSigner && message.webhookId === headers['webhook-id'] && isRead(message)
  return isConsistent ? 'valid' : 'contradictory'
}

function hasAll(headers: Partial<SignatureHeaders>): headers is SignatureHeaders {
  return Boolean(
    headers['webhook-id'] && headers['webhook-timestamp'] && headers['webhook-signature'],
  )
}

/** Whether the body has the fields that the service acted on. */
function isRead({ body, reading, occurredAt }: StoredMessage): boolean {
  const sent = parseObject(body)
  const time = parseTime(sent['timestamp'])
  return (
    time?.getTime() === occurredAt?.getTime() &&
    Object.entries(reading).every(([field, value]) => sent[field] === value)
  )
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

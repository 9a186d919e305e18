import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { MessageKind, MessageVerdict } from '../messages/message-insert.js'
import { referenceOf } from '../payments/payment.view.js'

/** A message of a provider without its body and headers. */
export interface StoredMessage {
  readonly id: string
  /** `provider:{account}` or `user:{sub}`. */
  readonly source: string
  readonly kind: MessageKind
  readonly verdict: MessageVerdict
  readonly keyId: string | null
  readonly webhookId: string | null
  readonly attemptId: string | null
  readonly paymentId: string | null
  readonly httpStatus: number | null
  readonly outcome: MessageOutcome
  readonly times: number
  readonly size: number
  readonly receivedAt: string
  readonly lastAt: string
  /** When the body was replaced, together with the payer’s data; null if it was not. */
  readonly erasedAt: string | null
}

/** The outcomes of messages. */
export const MESSAGE_OUTCOMES = [
  'applied',
  'superseded',
  'conflict',
  'stored',
  'parked',
  'unchanged',
  'late_success',
  'late_failure',
  'unexpected_success',
  'amount_mismatch',
  'duplicate_transaction',
] as const
export type MessageOutcome = (typeof MESSAGE_OUTCOMES)[number]

/** The columns of `message` in the form of `StoredMessage`. */
export const MESSAGE_VIEW_COLUMNS = `
  message.id,
  message.source,
  message.kind,
  message.verdict,
  message.key_id AS "keyId",
  message.webhook_id AS "webhookId",
  message.attempt_id AS "attemptId",
  message.payment_id AS "paymentId",
  message.http_status AS "httpStatus",
  message.outcome,
  message.times,
  octet_length(message.body) AS size,
  ${isoTime('message.received_at')} AS "receivedAt",
  ${isoTime('message.last_at')} AS "lastAt",
  ${isoTime('message.erased_at')} AS "erasedAt"`

const PROVIDER = 'provider:'

/** The account in a source; undefined for a user's. */
export function accountOf(source: string): string | undefined {
  return source.startsWith(PROVIDER) ? source.slice(PROVIDER.length) : undefined
}

export function sourceOf(account: string): string {
  return `${PROVIDER}${account}`
}

/** The representation of a message in responses. */
export function messageView(message: StoredMessage) {
  return {
    id: message.id,
    account: accountOf(message.source) ?? null,
    kind: message.kind,
    verdict: message.verdict,
    keyId: message.keyId,
    webhookId: message.webhookId,
    attempt: message.attemptId,
    payment: message.paymentId && referenceOf(message.paymentId),
    httpStatus: message.httpStatus,
    outcome: message.outcome,
    times: message.times,
    size: message.size,
    receivedAt: message.receivedAt,
    lastAt: message.lastAt,
    erasedAt: message.erasedAt,
  }
}

/** A message with its content. */
export interface MessageContent extends StoredMessage {
  readonly headers: Readonly<Record<string, string>>
  /** The bytes as received, in base64. */
  readonly body: string
  /** SHA-256 of the bytes, hexadecimal. */
  readonly bodyHash: string
  readonly reading: Readonly<Record<string, unknown>> | null
  readonly occurredAt: string | null
}

/** The representation of a message with its body. */
export function messageContentView(message: MessageContent) {
  const { headers, body, bodyHash, reading, occurredAt } = message
  return { ...messageView(message), headers, body, bodyHash, reading, occurredAt }
}

import { newUuid } from '@malipo/kit/postgres/uuid-v7'

/**
 * SQL fragments for a statement that stores what a provider sent in `provider_messages`: the bytes as received, and
 * what is needed to verify their signature again. The database rejects a change of these columns.
 */

/** A webhook, a callback, or the answer to a request for money or to a query. */
export const MESSAGE_KINDS = ['webhook', 'callback', 'send', 'query'] as const
export type MessageKind = (typeof MESSAGE_KINDS)[number]

/** How the sender was authenticated. `response`: it answered a request over a verified connection. */
export const MESSAGE_VERDICTS = ['signed', 'token', 'unsigned', 'invalid', 'response'] as const
export type MessageVerdict = (typeof MESSAGE_VERDICTS)[number]

export interface Message {
  readonly kind: MessageKind
  /** `provider:{account}` or `user:{sub}`. */
  readonly source: string
  readonly verdict: MessageVerdict
  /** Of the secret that signed a webhook. */
  readonly keyId?: string
  readonly webhookId?: string
  /** Headers that are part of the evidence. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly httpStatus?: number
  readonly bytes: Uint8Array
  /** What the service understood. */
  readonly reading?: object
  /** The time that the sender states. */
  readonly occurredAt?: Date
  readonly at: Date
}

/** The columns of an input relation that `insertMessages` reads, apart from `operation_id`. */
export const MESSAGE_COLUMNS = `
  message_id uuid, kind text, source text, verdict text, webhook_id text, key_id text, headers jsonb,
  http_status smallint, body text, reading jsonb, occurred_at timestamptz, at timestamptz`

/** The values of those columns. */
export function messageValues(message: Message) {
  return {
    // New in each attempt: `ON CONFLICT` on another key would not catch a conflict of this id.
    message_id: newUuid(message.at.getTime()),
    kind: message.kind,
    source: message.source,
    verdict: message.verdict,
    webhook_id: message.webhookId,
    key_id: message.keyId,
    headers: message.headers,
    http_status: message.httpStatus,
    body: Buffer.from(message.bytes).toString('base64'),
    reading: message.reading,
    occurred_at: message.occurredAt,
    at: message.at,
  }
}

/** `paymentId`, `attemptId` and `outcome` are SQL expressions on the relation `from`. */
export const insertMessages = (to: {
  from: string
  paymentId: string
  attemptId: string
  outcome: string
}) => `
  INSERT INTO provider_messages AS stored
    (id, source, kind, webhook_id, payment_id, attempt_id, verdict, key_id, headers, http_status, body,
     body_hash, reading, outcome, occurred_at, received_at, last_at, last_operation_id)
  SELECT
    message_id, source, kind, webhook_id, ${to.paymentId}, ${to.attemptId}, verdict, key_id, headers,
    http_status, bytes, sha256(bytes), reading, ${to.outcome}, occurred_at, at, at, operation_id
  FROM ${to.from}
  CROSS JOIN decode(body, 'base64') AS bytes`

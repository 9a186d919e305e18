import type { Run, Statement } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import type { Viewer } from '../payments/payments.store.js'
import type { Status } from '../payments/transitions.js'
import type { VerifiedSignature } from './signature.js'

/**
 * The evidence of what providers sent, in `provider_messages`: the bytes as received, and what is needed to
 * verify their signature again. The database rejects every change of a row except the count of its repetitions.
 */

/** The fields of a message that the service acts on. */
export interface Reading {
  readonly reference: string
  readonly status: Status
  readonly providerTransactionId: string
}

/** A webhook whose sender is authenticated. */
export interface IncomingWebhook {
  /** `provider:{name}` or `user:{sub}`. */
  readonly source: string
  readonly webhookId: string
  readonly paymentId: string | undefined
  readonly reading: Reading
  /** The `timestamp` of the body. */
  readonly occurredAt: Date
  /** The body as received. */
  readonly bytes: Buffer
  /** Undefined for a webhook that a user sent with a token. */
  readonly signature: VerifiedSignature | undefined
  readonly viewer: Viewer
  readonly actor: string
  readonly at: Date
  readonly operationId: string
}

/** The columns of an input relation that `insertMessages` reads. */
export const MESSAGE_COLUMNS = `
  message_id uuid, source text, webhook_id text, key_id text, headers jsonb, body text, reading jsonb,
  occurred_at timestamptz, at timestamptz, operation_id uuid`

/** The values of those columns. */
export function messageValues(webhook: IncomingWebhook) {
  return {
    // New in each attempt: `ON CONFLICT` on the webhook's id would not catch a conflict of this id.
    message_id: newUuid(webhook.at.getTime()),
    source: webhook.source,
    webhook_id: webhook.webhookId,
    key_id: webhook.signature?.keyId,
    headers: webhook.signature?.headers ?? {},
    body: webhook.bytes.toString('base64'),
    reading: webhook.reading,
    occurred_at: webhook.occurredAt,
    at: webhook.at,
    operation_id: webhook.operationId,
  }
}

/** The values of `paymentId` and `outcome` are SQL expressions on the relation `from`. */
export const insertMessages = (to: { from: string; paymentId: string; outcome: string }) => `
  INSERT INTO provider_messages AS stored
    (id, source, kind, webhook_id, payment_id, verdict, key_id, headers, body, body_hash, reading,
     outcome, occurred_at, received_at, last_at, last_operation_id)
  SELECT
    message_id, source, 'webhook', webhook_id, ${to.paymentId},
    CASE WHEN key_id IS NULL THEN 'token' ELSE 'signed' END, key_id, headers, bytes, sha256(bytes),
    reading, ${to.outcome}, occurred_at, at, at, operation_id
  FROM ${to.from}
  CROSS JOIN decode(body, 'base64') AS bytes`

const STORE_CONFLICT: Statement = {
  name: 'webhook_conflict_store',
  text: `
WITH input AS (
  SELECT * FROM json_to_recordset($1) AS input (nth integer, ${MESSAGE_COLUMNS})
)
${insertMessages({ from: 'input', paymentId: 'NULL', outcome: `'conflict'` })}
ON CONFLICT (source, webhook_id, body_hash) WHERE outcome = 'conflict'
DO UPDATE SET
  times = stored.times + 1,
  last_at = excluded.last_at,
  last_operation_id = excluded.last_operation_id
WHERE stored.last_operation_id <> excluded.last_operation_id`,
  batched: {
    conflictKeys: ({ source, webhook_id }: { source: string; webhook_id: string }) => [
      `${source} ${webhook_id}`,
    ],
    evenIfAborted: true,
  },
}

/** Stores a webhook with a reused id as evidence, and counts repetitions of the same bytes. */
export async function storeConflict(run: Run, webhook: IncomingWebhook): Promise<void> {
  await run(STORE_CONFLICT, [messageValues(webhook)])
}

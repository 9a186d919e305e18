import type { Run, Statement } from '@malipo/kit/postgres/database'
import {
  insertMessages,
  type Message,
  MESSAGE_COLUMNS,
  messageValues,
} from '../messages/message-insert.js'
import type { Viewer } from '../payments/payments.store.js'
import type { Status } from '../payments/transitions.js'
import type { VerifiedSignature } from './signature.js'

/** Incoming webhooks as evidence, also those that reuse an id with other content. */

/** The fields of a message that the service acts on. */
export interface Reading {
  readonly reference: string
  readonly status: Status
  readonly providerTransactionId: string
  /** As stated, if it is. */
  readonly amount?: string | number
  readonly currency?: string
  readonly failure?: { readonly code: string }
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
  /** The stated amount in minor units; undefined if none is stated. */
  readonly amountMinor: bigint | undefined
  /** Set if the transaction id must be unique among the successes of the sender. */
  readonly transactionKey: string | undefined
  readonly viewer: Viewer
  readonly actor: string
  readonly at: Date
  readonly operationId: string
}

/** The message that is stored of a webhook. */
export function messageOf(webhook: IncomingWebhook): Message {
  const { signature } = webhook
  return {
    kind: 'webhook',
    source: webhook.source,
    verdict: signature ? 'signed' : 'token',
    keyId: signature?.keyId,
    webhookId: webhook.webhookId,
    headers: signature?.headers ?? {},
    bytes: webhook.bytes,
    reading: webhook.reading,
    occurredAt: webhook.occurredAt,
    at: webhook.at,
  }
}

const STORE_CONFLICT: Statement = {
  name: 'webhook_conflict_store',
  text: `
WITH input AS (
  SELECT *
  FROM json_to_recordset($1) AS input (nth integer, operation_id uuid, ${MESSAGE_COLUMNS})
)
${insertMessages({ from: 'input', paymentId: 'NULL', attemptId: 'NULL', outcome: `'conflict'` })}
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
  const values = { ...messageValues(messageOf(webhook)), operation_id: webhook.operationId }
  await run(STORE_CONFLICT, [values])
}

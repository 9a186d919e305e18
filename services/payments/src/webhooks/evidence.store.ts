import { isoTime } from '@malipo/kit/postgres/iso-time'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import type { DataSource } from 'typeorm'
import type { StoredMessage } from './evidence.js'

/** Reads stored messages for their verification. */

/** Which messages to read. An undefined field is no condition. */
export interface MessageFilter {
  readonly ids: readonly string[] | undefined
  readonly paymentId: string | undefined
  readonly webhookId: string | undefined
  /** Received at or after this time. */
  readonly from: Date | undefined
  /** Received before this time. */
  readonly to: Date | undefined
}

const PAGE_SIZE = 200

const FIND = `
SELECT
  id,
  source,
  webhook_id AS "webhookId",
  payment_id AS "paymentId",
  key_id AS "keyId",
  headers,
  encode(body, 'base64') AS body,
  encode(body_hash, 'hex') AS "bodyHash",
  reading,
  outcome,
  ${isoTime('occurred_at')} AS "occurredAt",
  ${isoTime('received_at')} AS "receivedAt",
  ${isoTime('erased_at')} AS "erasedAt"
FROM provider_messages
WHERE id > $1
  AND kind = 'webhook'
  AND ($2::uuid IS NULL OR id < $2)
  AND ($3::uuid[] IS NULL OR id = ANY ($3))
  AND ($4::uuid IS NULL OR payment_id = $4)
  AND ($5::text IS NULL OR webhook_id = $5)
ORDER BY id
LIMIT ${PAGE_SIZE}`

/** The body is in base64. */
type Row = Omit<StoredMessage, 'body'> & { readonly body: string }

/** Reads the messages in the order in which they were received, page by page. */
export async function* findMessages(
  source: DataSource,
  { ids, paymentId, webhookId, from, to }: MessageFilter,
): AsyncGenerator<StoredMessage> {
  // A message's id contains the time at which it was received.
  const before = to && minUuidAt(to)
  for (let after = minUuidAt(from ?? new Date(0)); ;) {
    const values = [after, before, ids, paymentId, webhookId]
    const page = await read<Row>(source, FIND, values)
    for (const row of page) yield { ...row, body: Buffer.from(row.body, 'base64') }
    const last = page.at(-1)
    if (!last || page.length < PAGE_SIZE) return
    after = last.id
  }
}

const KEYS = `
SELECT
  source,
  key_id AS "keyId",
  count(*)::int AS messages,
  ${isoTime('max(received_at)')} AS "lastUsedAt"
FROM provider_messages
WHERE key_id IS NOT NULL
GROUP BY source, key_id
ORDER BY source, "lastUsedAt"`

interface KeyUse {
  readonly source: string
  readonly keyId: string
  readonly messages: number
  readonly lastUsedAt: string
}

/** The keys that verified the stored messages. */
export async function findKeys(source: DataSource): Promise<KeyUse[]> {
  return read<KeyUse>(source, KEYS, [])
}

/** Each page has its own transaction: the payment totals wait for long ones. */
async function read<T>(source: DataSource, text: string, values: unknown[]): Promise<T[]> {
  return source.transaction(async (transaction) => {
    await transaction.query('SET TRANSACTION READ ONLY')
    // The scan of a large table takes longer than a request may take.
    await transaction.query('SET LOCAL statement_timeout = 0')
    return transaction.query<T[]>(text, values)
  })
}

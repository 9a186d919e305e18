import type { Service } from './release.ts'

/** The records in the databases, read directly. */

/** Runs a query on a database; returns one string per row. */
export type Query = (database: Service, query: string) => Promise<string[]>

export interface PaymentRow {
  readonly id: string
  readonly amount_minor: number
  readonly status: string
  readonly version: number
}

export interface EventRow {
  readonly payment_id: string
  readonly version: number
  readonly operation_id: string
  readonly from_status: string | null
  readonly to_status: string
  readonly at: string
  readonly cause: string
  readonly last_webhook_id: string | null
}

export interface KeyRow {
  readonly route: string
  readonly key: string
  readonly operation_id: string
}

export interface WebhookRow {
  readonly webhook_id: string
  readonly payment_id: string
  readonly status: string
  readonly outcome: string
}

export interface Records {
  readonly payments: Map<string, PaymentRow>
  /** By payment, ordered by version. */
  readonly events: Map<string, EventRow[]>
  readonly keys: Map<string, KeyRow[]>
  readonly webhooks: Map<string, WebhookRow>
  readonly sessions: Set<string>
}

/** The records of one owner; those of payments in one snapshot, since clients keep writing. */
export async function readRecords(owner: string, query: Query): Promise<Records> {
  const sessions = await query('auth', `SELECT id FROM sessions WHERE user_id = '${owner}'`)
  const own = `payment_id IN (SELECT id FROM payments WHERE owner_id = '${owner}')`
  const lines = await query(
    'payments',
    `SELECT json_build_object('payment', f)::text FROM
       (SELECT id, amount_minor, status, version FROM payments WHERE owner_id = '${owner}') f
     UNION ALL SELECT json_build_object('event', f)::text FROM
       (SELECT payment_id, version, operation_id, from_status, to_status, at, cause, last_webhook_id
          FROM payment_events WHERE ${own}) f
     UNION ALL SELECT json_build_object('key', f)::text FROM
       (SELECT route, key, operation_id FROM idempotency_keys WHERE caller = '${owner}') f
     UNION ALL SELECT json_build_object('webhook', f)::text FROM
       (SELECT webhook_id, payment_id, reading ->> 'status' AS status, outcome
          FROM provider_messages WHERE ${own}) f`,
  )
  const all = lines.map((line) => JSON.parse(line) as Line)
  const payments = all.flatMap(({ payment }) => payment ?? [])
  const events = all.flatMap(({ event }) => event ?? []).toSorted((a, b) => a.version - b.version)
  const keys = all.flatMap(({ key }) => key ?? [])
  // A sender that was renamed has two rows for a repeated webhook. The one that was applied counts.
  const webhooks = all
    .flatMap(({ webhook }) => webhook ?? [])
    .toSorted((a, b) => Number(a.outcome === 'applied') - Number(b.outcome === 'applied'))
  return {
    payments: new Map(payments.map((row) => [row.id, row])),
    events: Map.groupBy(events, ({ payment_id }) => payment_id),
    keys: Map.groupBy(keys, ({ key }) => key),
    webhooks: new Map(webhooks.map((row) => [row.webhook_id, row])),
    sessions: new Set(sessions),
  }
}

/** A row of one of the tables, as a line of JSON. */
interface Line {
  readonly payment?: PaymentRow
  readonly event?: EventRow
  readonly key?: KeyRow
  readonly webhook?: WebhookRow
}

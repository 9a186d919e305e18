import type { Run, Statement } from '@malipo/kit/postgres/database'
import { paymentColumns } from '../payments/payment-columns.js'
import type { Payment } from '../payments/payment.entity.js'

/** The bodies of notifications. The first delivery stores a body, which every later one sends. */

const PAYMENT_OF: Statement = {
  name: 'notification_payment',
  text: `
SELECT nth, ${paymentColumns('payments', 'event')}
FROM json_to_recordset($1) AS input (nth integer, id uuid, version integer)
JOIN payments ON payments.id = input.id
JOIN payment_events AS event ON event.payment_id = input.id AND event.version = input.version`,
  batched: { evenIfAborted: true },
}

/** The payment as of a version; undefined if there is no such version. */
export async function paymentAsOf(
  run: Run,
  id: string,
  version: number,
): Promise<Payment | undefined> {
  return (await run<Payment>(PAYMENT_OF, [{ id, version }]))[0]
}

const STORE: Statement = {
  name: 'notification_body_store',
  text: `
WITH input AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1) AS input (nth integer, id uuid, body text)
), stored AS (
  UPDATE notifications AS notification
  SET body = input.body
  FROM input
  WHERE notification.id = input.id AND notification.body IS NULL
  RETURNING notification.id, notification.body
)
SELECT nth, coalesce(stored.body, notification.body) AS body
FROM input
LEFT JOIN stored USING (id)
LEFT JOIN notifications AS notification USING (id)`,
  batched: {
    conflictKeys: ({ id }: { id: string }) => [id],
    evenIfAborted: true,
  },
}

/**
 * Stores the body of a notification, if it has none.
 *
 * @returns the stored body; null if another replica has stored one since this statement began; undefined if the
 * notification was deleted
 */
export async function storeBody(
  run: Run,
  id: string,
  body: string,
): Promise<string | null | undefined> {
  return (await run<{ body: string | null }>(STORE, [{ id, body }]))[0]?.body
}

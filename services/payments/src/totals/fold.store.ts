import type { Run, Statement } from '@malipo/kit/postgres/database'

/**
 * Adds the events between the current position and a new one to the totals, and moves the position, in a
 * single statement.
 *
 * `xid` is the id of the transaction that inserted the event. Every transaction below `pg_snapshot_xmin`, the
 * oldest id still running, has ended, so no event with a lower `xid` can appear later. A fold that stops
 * below it misses none, however long a transaction stays open. A transaction's events are folded together.
 *
 * The position is updated only if it still has the value in this statement's snapshot. Of two concurrent
 * folds, the second waits for the row lock, then finds another value and changes nothing.
 *
 * `OFFSET 0` makes the planner look up each payment by its primary key.
 */
const FOLD: Statement = {
  name: 'payment_totals_fold',
  text: `
    WITH position AS MATERIALIZED (
      SELECT folded_through FROM payment_totals_position
    ), pending AS MATERIALIZED (
      SELECT xid
      FROM payment_events
      WHERE xid > (SELECT folded_through FROM position)
        AND xid < pg_snapshot_xmin(pg_current_snapshot())
      ORDER BY xid
      LIMIT $1::integer
    ), moved AS (
      UPDATE payment_totals_position AS current
      SET folded_through = (SELECT max(xid) FROM pending)
      FROM position
      WHERE current.folded_through = position.folded_through
        AND EXISTS (SELECT FROM pending)
      RETURNING position.folded_through AS after, current.folded_through AS through
    ), counted AS (
      SELECT event.to_status, payment.payment_method, payment.currency,
        count(*) AS entered, sum(payment.amount_minor) AS amount_minor
      FROM payment_events AS event
      CROSS JOIN LATERAL (
        SELECT payment_method, currency, amount_minor
        FROM payments
        WHERE id = event.payment_id
        OFFSET 0
      ) AS payment
      WHERE event.xid > (SELECT after FROM moved) AND event.xid <= (SELECT through FROM moved)
        -- An event without a change of the status enters none.
        AND event.from_status IS DISTINCT FROM event.to_status
      GROUP BY 1, 2, 3
    ), added AS (
      INSERT INTO payment_totals AS total (status, payment_method, currency, entered, amount_minor)
      SELECT to_status, payment_method, currency, entered, amount_minor FROM counted
      ON CONFLICT ON CONSTRAINT payment_totals_pkey DO UPDATE
      SET entered = total.entered + excluded.entered,
        amount_minor = total.amount_minor + excluded.amount_minor
    )
    SELECT count(*)::integer AS pending FROM pending`,
}

/** Folds about `limit` events into the totals; @returns `limit` if more may be left, otherwise fewer */
export async function foldEvents(run: Run, limit: number): Promise<number> {
  const [row] = await run<{ pending: number }>(FOLD, [limit])
  return row?.pending ?? 0
}

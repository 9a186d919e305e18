import type { Run, Statement } from '@malipo/kit/postgres/database'

/**
 * The statements that count events into totals. Each moves the position and adds what lies between its old
 * place and its new one, so either both are there or neither.
 *
 * An event's `xid` is the number of the transaction that wrote it. Below the least number that still runs
 * (`pg_snapshot_xmin`) every transaction has ended, so nothing can appear there later: a fold that goes no
 * further skips none, however long a transaction stays open. The position moves only from where this
 * statement saw it, so of two folds at once the later one, which looked at an older state, does nothing.
 */

/** Adds what `counted` has to the totals. A payment is looked up by its key, whatever the planner thinks. */
const intoTotals = (events: string) => `
counted AS (
  SELECT event.to_status, payment.payment_method, payment.currency,
         count(*) AS entered, sum(payment.amount_minor) AS amount_minor
    FROM (${events}) AS event
   CROSS JOIN LATERAL (
     SELECT payment_method, currency, amount_minor FROM payments WHERE id = event.payment_id OFFSET 0
   ) AS payment
   GROUP BY 1, 2, 3
), added AS (
  INSERT INTO payment_totals AS kept (status, payment_method, currency, entered, amount_minor)
  SELECT to_status, payment_method, currency, entered, amount_minor
    FROM counted
      ON CONFLICT ON CONSTRAINT payment_totals_pkey
      DO UPDATE SET entered = kept.entered + excluded.entered,
                    amount_minor = kept.amount_minor + excluded.amount_minor
)`

const FOLD: Statement = {
  name: 'totals_fold',
  text: `
WITH position AS MATERIALIZED (
  SELECT folded_through
    FROM payment_totals_position
), fresh AS MATERIALIZED (
  SELECT xid
    FROM payment_events
   WHERE xid > (SELECT folded_through FROM position)
     AND xid < pg_snapshot_xmin(pg_current_snapshot())
   ORDER BY xid
   LIMIT $1::integer
), moved AS (
  UPDATE payment_totals_position AS kept
     SET folded_through = (SELECT max(xid) FROM fresh)
    FROM position
   WHERE kept.folded_through = position.folded_through
     AND EXISTS (SELECT FROM fresh)
  RETURNING position.folded_through AS after, kept.folded_through AS through
), ${intoTotals(`
    SELECT payment_id, to_status
      FROM payment_events
     WHERE xid > (SELECT after FROM moved)
       AND xid <= (SELECT through FROM moved)`)}
SELECT count(*)::integer AS taken FROM fresh`,
}

/** Counts new events, at most about `most`; gives how many. */
export async function fold(run: Run, most: number): Promise<number> {
  const [row] = await run<{ taken: number }>(FOLD, [most])
  return row?.taken ?? 0
}

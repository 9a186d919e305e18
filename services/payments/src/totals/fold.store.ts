import type { Run, Statement } from '@malipo/kit/postgres/database'

/**
 * The statements that count events into totals. Each moves the bookmark and adds what lies between its old
 * place and its new one, so either both are there or neither.
 *
 * An event's `xid` is the number of the transaction that wrote it. Below the least number that still runs
 * (`pg_snapshot_xmin`) every transaction has ended, so nothing can appear there later: a fold that goes no
 * further skips none, however long a transaction stays open. The bookmark moves only from where this
 * statement saw it, so of two folds at once the later one, which looked at an older state, does nothing.
 */

/** How long a replica leads once it has said so, and when it says so again. */
const LEASE = `interval '15 seconds'`
const RENEWED = `interval '9 seconds'`

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
WITH bookmark AS MATERIALIZED (
  SELECT folded_through, leader, leads_until
    FROM payment_totals_bookmark
   WHERE leader = $1::uuid OR leads_until < now()
), fresh AS MATERIALIZED (
  SELECT xid
    FROM payment_events
   WHERE xid > (SELECT folded_through FROM bookmark)
     AND xid < pg_snapshot_xmin(pg_current_snapshot())
   ORDER BY xid
   LIMIT $2::integer
), moved AS (
  UPDATE payment_totals_bookmark AS kept
     SET folded_through = coalesce((SELECT max(xid) FROM fresh), kept.folded_through),
         leader = $1::uuid,
         leads_until = now() + ${LEASE}
    FROM bookmark
   WHERE kept.folded_through = bookmark.folded_through
     AND (kept.leader = $1::uuid OR kept.leads_until < now())
     AND (kept.leads_until < now() + ${RENEWED} OR EXISTS (SELECT FROM fresh))
  RETURNING bookmark.folded_through AS after, kept.folded_through AS through
), ${intoTotals(`
    SELECT payment_id, to_status
      FROM payment_events
     WHERE xid > (SELECT after FROM moved)
       AND xid <= (SELECT through FROM moved)`)}
SELECT EXISTS (SELECT FROM moved)
         OR EXISTS (SELECT FROM bookmark WHERE leader = $1::uuid AND leads_until > now()) AS leads,
       (SELECT count(*) FROM fresh)::integer AS taken`,
}

/** What a fold did: whether this replica leads, and how many events it took of the most it may. */
export interface Folded {
  readonly leads: boolean
  readonly taken: number
}

/** Counts new events, at most about `most`, if `replica` leads or nobody does. */
export async function fold(run: Run, replica: string, most: number): Promise<Folded> {
  const [row] = await run<Folded>(FOLD, [replica, most])
  return row ?? { leads: false, taken: 0 }
}

/** Events from before `xid` was there: no more come, so their key is the order to count them in. */
const FOLD_OLD: Statement = {
  name: 'totals_fold_old',
  text: `
WITH bookmark AS MATERIALIZED (
  SELECT old_payment_id, old_version
    FROM payment_totals_bookmark
   WHERE leader = $1::uuid AND old_payment_id IS NOT NULL
), old AS MATERIALIZED (
  SELECT payment_id, version, to_status
    FROM payment_events
   WHERE xid IS NULL
     AND (payment_id, version) >
         ((SELECT old_payment_id FROM bookmark), (SELECT old_version FROM bookmark))
   ORDER BY payment_id, version
   LIMIT $2::integer
), last AS (
  SELECT payment_id, version FROM old ORDER BY payment_id DESC, version DESC LIMIT 1
), moved AS (
  UPDATE payment_totals_bookmark AS kept
     SET old_payment_id = (SELECT payment_id FROM last),
         old_version = (SELECT version FROM last)
    FROM bookmark
   WHERE (kept.old_payment_id, kept.old_version) = (bookmark.old_payment_id, bookmark.old_version)
     AND kept.leader = $1::uuid
  RETURNING 1
), ${intoTotals('SELECT payment_id, to_status FROM old WHERE EXISTS (SELECT FROM moved)')}
SELECT (SELECT count(*) FROM old)::integer AS taken`,
}

/** Counts the next events that have no number, at most `most`, if `replica` leads; 0 when none is left. */
export async function foldOld(run: Run, replica: string, most: number): Promise<number> {
  const [row] = await run<{ taken: number }>(FOLD_OLD, [replica, most])
  return row?.taken ?? 0
}

const RESIGN: Statement = {
  name: 'totals_resign',
  text: `
UPDATE payment_totals_bookmark
   SET leads_until = '-infinity'
 WHERE leader = $1`,
}

/** Lets another replica lead at once. */
export async function resign(run: Run, replica: string): Promise<void> {
  await run(RESIGN, [replica])
}

import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { PaymentMethod } from '../money/payment-methods.js'
import type { Status } from '../payments/transitions.js'

/** The number of payments that have ever entered a status, and the sum of their amounts. */
interface Total {
  readonly status: Status
  readonly method: PaymentMethod
  readonly currency: string
  readonly entered: string
  readonly amountMinor: string
}

/** The values that the metrics report. */
export type Snapshot = Awaited<ReturnType<typeof readSnapshot>>

const TOTALS: Statement = {
  name: 'payment_totals_read',
  text: `
    SELECT status, payment_method AS method, currency, entered, amount_minor AS "amountMinor"
    FROM payment_totals`,
}

/** Counts open payments by status and age. Each count stops at 10000, which bounds the cost. */
const OPEN_COUNTS: Statement = {
  name: 'payments_open_count',
  text: `
    SELECT status, age, (
      SELECT count(*)::integer
      FROM (
        SELECT FROM payments
        WHERE payments.status = statuses.status
          AND payments.status IN ('INITIATED', 'PENDING')
          AND updated_at < now() - min_age::interval
          AND updated_at >= now() - max_age::interval
        LIMIT 10000
      ) AS found
    ) AS count
    FROM unnest(ARRAY['INITIATED', 'PENDING']) AS statuses (status),
      (VALUES
        ('5m', '5 minutes', '1 hour'),
        ('1h', '1 hour', '24 hours'),
        ('1d', '24 hours', '1000 years')
      ) AS ages (age, min_age, max_age)`,
}

const OLDEST_OPEN: Statement = {
  name: 'payments_open_oldest',
  text: `
    SELECT status, coalesce(extract(epoch FROM now() - (
      SELECT updated_at
      FROM payments
      WHERE payments.status = statuses.status
        AND payments.status IN ('INITIATED', 'PENDING')
      ORDER BY updated_at
      LIMIT 1
    )), 0) AS seconds
    FROM unnest(ARRAY['INITIATED', 'PENDING']) AS statuses (status)`,
}

/** The lag is infinite if the position is ahead of this server's transactions: another server wrote it. */
const LAG: Statement = {
  name: 'payment_totals_lag',
  text: `
    SELECT CASE
      WHEN folded_through >= pg_snapshot_xmax(pg_current_snapshot()) THEN 'Infinity'
      ELSE coalesce(extract(epoch FROM now() - (
        SELECT at FROM payment_events WHERE xid > folded_through ORDER BY xid LIMIT 1
      )), 0)
    END AS seconds
    FROM payment_totals_position`,
}

export async function readSnapshot(run: Run) {
  const totals = await run<Total>(TOTALS, [])
  const openCounts = await run<{ status: Status; age: string; count: number }>(OPEN_COUNTS, [])
  const oldestOpen = await run<{ status: Status; seconds: string }>(OLDEST_OPEN, [])
  const [lag] = await run<{ seconds: string }>(LAG, [])
  return { totals, openCounts, oldestOpen, lagSeconds: Number(lag?.seconds ?? 0) }
}

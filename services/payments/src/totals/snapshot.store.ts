import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { PaymentMethod } from '../payments/payment.entity.js'
import type { Status } from '../payments/transitions.js'

/**
 * What is told of totals and of what is open. Where the database has an exporter of its own, the chart gives
 * it these very queries (`charts/payments/files/queries.yaml`), and the service tells nothing.
 */

/** Payments that ever came into a status. */
export interface Total {
  readonly status: Status
  readonly method: PaymentMethod
  readonly currency: string
  readonly total: string
  readonly amount_minor_total: string
}

/** Payments of a status that is not the last, by how long they have been in it. */
export interface Open {
  readonly status: Status
  readonly age: string
  readonly open: number
}

export interface Oldest {
  readonly status: Status
  readonly seconds: number
}

export interface Lag {
  readonly lag_seconds: number
}

export const QUERIES = {
  payments_entered: `
SELECT status, payment_method AS method, currency, entered AS total,
       amount_minor AS amount_minor_total
  FROM payment_totals`,
  // Counts no further than 10000: a scrape costs the same whatever has piled up.
  payments: `
SELECT status, age,
       (SELECT count(*)
          FROM (SELECT FROM payments
                 WHERE payments.status = statuses.status
                   AND payments.status IN ('INITIATED', 'PENDING')
                   AND updated_at < now() - older::interval
                   AND updated_at >= now() - younger::interval
                 LIMIT 10000) AS found)::integer AS open
  FROM unnest(ARRAY['INITIATED', 'PENDING']) AS statuses (status),
       (VALUES ('5m', '5 minutes', '1 hour'), ('1h', '1 hour', '1 day'),
               ('1d', '1 day', '1000 years')) AS ages (age, older, younger)`,
  payments_open_oldest: `
SELECT status,
       coalesce(extract(epoch FROM now() - (
         SELECT updated_at FROM payments
          WHERE payments.status = statuses.status
            AND payments.status IN ('INITIATED', 'PENDING')
          ORDER BY updated_at LIMIT 1)), 0)::float AS seconds
  FROM unnest(ARRAY['INITIATED', 'PENDING']) AS statuses (status)`,
  // Infinite when the position is past every transaction: a copy of another server's tables.
  payment_totals: `
SELECT CASE WHEN folded_through >= pg_snapshot_xmax(pg_current_snapshot()) THEN 'Infinity'
            ELSE coalesce(extract(epoch FROM now() - (
                   SELECT at FROM payment_events
                    WHERE xid > folded_through
                    ORDER BY xid LIMIT 1)), 0)::float
            END AS lag_seconds
  FROM payment_totals_position`,
} as const

export type Query = keyof typeof QUERIES

interface Rows {
  payments_entered: Total
  payments: Open
  payments_open_oldest: Oldest
  payment_totals: Lag
}

/** The rows of a query. */
export function figures<Name extends Query>(run: Run, name: Name): Promise<Rows[Name][]> {
  const statement: Statement = { name, text: QUERIES[name] }
  return run<Rows[Name]>(statement, [])
}

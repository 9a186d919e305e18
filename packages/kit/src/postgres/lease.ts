import type { Lease } from '../worker/worker.js'
import type { Database } from './database.js'
import type { Run, Statement } from './statement.js'

const TRY_LOCK: Statement = {
  name: 'lease_try_lock',
  // The form with two keys has an own key space: it can't collide with locks of one 64-bit key.
  text: 'SELECT pg_try_advisory_xact_lock(hashtext($1), 0) AS acquired',
}

/**
 * A lease that is an advisory lock of the transaction that also executes the run's statements. PostgreSQL
 * releases it when the transaction ends or the connection is lost. It then rolls back what the run wrote, so
 * a former holder can't write after its lease.
 *
 * A run must be safe to repeat, and shorter than the query timeout.
 */
export function transactionLease(database: Database, name: string): Lease<Run> {
  return (run) =>
    database.find(name, (orm) =>
      orm.transaction(async (transaction) => {
        const execute: Run = ({ text }, values) => transaction.query(text, [...values])
        const [row] = await execute<{ acquired: boolean }>(TRY_LOCK, [name])
        return row?.acquired ? run(execute) : 'held'
      }),
    )
}

import type { Lease } from '../worker/worker.js'
import type { Database } from './database.js'
import type { Run, Statement } from './statement.js'

const TRY_LOCK: Statement = {
  name: 'lease_try_lock',
  // An advisory lock with two keys can't collide with one that has a single 64-bit key.
  text: 'SELECT pg_try_advisory_xact_lock(hashtext($1), 0) AS acquired',
}

/**
 * A lease held by an advisory lock of the run's transaction: losing the connection loses both, so a holder
 * can't write after losing its lease. A run must be safe to repeat and shorter than the query timeout.
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

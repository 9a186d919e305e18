import { Client as Connection } from 'pg'
import { onTestFinished } from 'vitest'
import type { Payments } from './payments.js'
import { until } from '@malipo/testing/until'

/** Begins a transaction with one statement, whose locks last at most until the end of the test. */
async function beginWith(databaseUrl: string, text: string, values: string[] = []) {
  const connection = new Connection({ connectionString: databaseUrl })
  await connection.connect()
  onTestFinished(() => connection.end())
  await connection.query('BEGIN')
  await connection.query(text, values)
  return connection
}

/**
 * Locks a payment's row. The returned function commits. If it is given a status, it first changes the
 * payment's status.
 */
export async function lockRow({ databaseUrl }: Payments, reference: string) {
  const row = 'SELECT 1 FROM payments WHERE reference = $1 FOR UPDATE'
  const connection = await beginWith(databaseUrl, row, [reference])
  return async (moveTo?: string) => {
    if (moveTo !== undefined) {
      const move = 'UPDATE payments SET status = $2, version = version + 1 WHERE reference = $1'
      await connection.query(move, [reference, moveTo])
    }
    await connection.query('COMMIT')
    await connection.end()
  }
}

/** Blocks every write to payments, as a migration could. The returned function unblocks the writes. */
export async function holdWrites(databaseUrl: string) {
  const connection = await beginWith(databaseUrl, 'LOCK TABLE payments IN SHARE MODE')
  return () => connection.end()
}

/** Waits until `count` statements are waiting for a lock. */
export async function untilBlocked(payments: Pick<Payments, 'sql'>, count: number) {
  const waiting = async () => {
    const [row] = await payments.sql<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return row?.n
  }
  await until(async () => (await waiting()) === count)
}

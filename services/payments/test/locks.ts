import { Client as Connection } from 'pg'
import { onTestFinished } from 'vitest'
import type { Payments } from './payments.js'
import { until } from './until.js'

/** A transaction that has done one thing and holds what that locks, at the latest until the test is over. */
async function holding(databaseUrl: string, text: string, values: string[] = []) {
  const holder = new Connection({ connectionString: databaseUrl })
  await holder.connect()
  onTestFinished(() => holder.end())
  await holder.query('BEGIN')
  await holder.query(text, values)
  return holder
}

/** Holds a payment's row as another transaction would; the answer lets it go, moved if it says where. */
export async function lockRow({ databaseUrl }: Payments, reference: string) {
  const row = 'SELECT 1 FROM payments WHERE reference = $1 FOR UPDATE'
  const holder = await holding(databaseUrl, row, [reference])
  return async (moveTo?: string) => {
    if (moveTo !== undefined) {
      const move = 'UPDATE payments SET status = $2, version = version + 1 WHERE reference = $1'
      await holder.query(move, [reference, moveTo])
    }
    await holder.query('COMMIT')
    await holder.end()
  }
}

/** Makes every write of a payment wait, as a migration could; the answer lets them go. */
export async function holdWrites(databaseUrl: string) {
  const holder = await holding(databaseUrl, 'LOCK TABLE payments IN SHARE MODE')
  return () => holder.end()
}

/** Resolves when this many statements wait for a lock. */
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

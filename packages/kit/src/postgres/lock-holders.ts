import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseClient } from './database-client.js'
import type { DatabasePool } from './database-pool.js'

const SEARCH_MS = 2_000
const PAUSE_MS = 100

/**
 * The sessions that block statements of this role, but wait for nothing themselves. `pg_locks` and
 * `pg_blocking_pids` need no privilege. Without `pg_read_all_stats`, the state and the time of another role's
 * session are null.
 */
const HOLDERS = `
SELECT DISTINCT
  holder.pid,
  holder.usename,
  holder.application_name,
  holder.state,
  to_char(holder.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
FROM pg_stat_activity waiting
JOIN pg_locks lock ON lock.pid = waiting.pid AND NOT lock.granted
CROSS JOIN unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
JOIN pg_stat_activity holder ON holder.pid = blocking.pid
WHERE waiting.datname = current_database()
  AND waiting.usename = current_user
  AND NOT EXISTS (SELECT FROM pg_locks WHERE pid = holder.pid AND NOT granted)
LIMIT 3`

interface Holder {
  readonly pid: number
  readonly usename: string | null
  readonly application_name: string | null
  readonly state: string | null
  readonly since: string | null
}

/**
 * Describes the sessions that hold a lock which statements wait for. The search uses a connection outside of the
 * pool, because the statements that wait may occupy every connection of the pool. It repeats for a moment,
 * because holders are found only while a statement waits, and a statement that failed is retried after a pause.
 *
 * @returns an empty list if none is found in time
 */
export async function findLockHolders({ options }: DatabasePool): Promise<string[]> {
  const client = new DatabaseClient(options)
  client.on('error', () => undefined)
  const endsAt = performance.now() + SEARCH_MS
  const timer = setTimeout(() => client.destroy(), SEARCH_MS)
  try {
    await client.connect()
    client.markOpen()
    while (performance.now() < endsAt) {
      const { rows } = await client.query<Holder>(HOLDERS)
      if (rows.length > 0) return rows.map(describe)
      await sleep(PAUSE_MS)
    }
  } catch {
    // The search only explains an outage that is logged anyway.
  } finally {
    clearTimeout(timer)
    client.destroy()
  }
  return []
}

function describe({ pid, usename, application_name, state, since }: Holder): string {
  return [
    `pid ${pid}`,
    usename && `user ${usename}`,
    application_name && `application ${application_name}`,
    state,
    since && `in a transaction since ${since}`,
  ]
    .filter(Boolean)
    .join(', ')
}

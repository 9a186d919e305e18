import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Run } from '@malipo/kit/postgres/database'
import { startPostgres } from '@malipo/local/postgres'
import { freshDatabase } from '@malipo/testing/database'
import { Client } from 'pg'
import { v7 } from 'uuid'
import { foldEvents } from '../src/totals/fold.store.js'
import { migrate } from './payments.js'
import { until } from '@malipo/testing/until'

/** A migrated database without the service. The test itself writes payments and folds their events. */

export interface PaymentsDatabase {
  readonly url: string
  /** Opens a connection that `close` closes. */
  connection(): Promise<Client>
  close(): Promise<void>
}

/** Starts a PostgreSQL for one test file: a transaction in any database of a server delays the fold. */
export async function ownServer() {
  const folder = await mkdtemp(join(tmpdir(), 'malipo-payments-'))
  const flags = ['-c', 'fsync=off']
  const postgres = await startPostgres({ dataDir: join(folder, 'db'), databases: [], flags })
  const stop = async () => {
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { url: postgres.url('postgres'), stop }
}

export async function newPaymentsDatabase(server?: string): Promise<PaymentsDatabase> {
  const url = await freshDatabase('payments', server)
  await migrate(url)
  return openPaymentsDatabase(url)
}

export function openPaymentsDatabase(url: string): PaymentsDatabase {
  const clients: Client[] = []
  return {
    url,
    async connection() {
      const client = new Client({ connectionString: url })
      // A killed server closes its connections. That error is expected here.
      client.on('error', () => undefined)
      await client.connect()
      clients.push(client)
      return client
    },
    async close() {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
    },
  }
}

/** Executes the service's statements on one connection. */
export function runOn(client: Client): Run {
  return async (statement, values) =>
    (await client.query({ ...statement, values: [...values] })).rows as never
}

/** Inserts a payment and its first event as the service does; `xid` gets its default. */
export async function writePayment(
  client: Client,
  { amount = 500, currency = 'UGX', method = 'MOBILE_MONEY' } = {},
): Promise<string> {
  const id = v7()
  await client.query(
    `WITH created AS (
       INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone,
                             customer_email, metadata, status, created_at, updated_at, version)
       VALUES ($1, $1, $2, $3, $4, '+256772123456', 'a@example.com', '{}', 'INITIATED', now(), now(), 1)
       RETURNING *)
     INSERT INTO payment_events (payment_id, version, operation_id, to_status, at, actor, cause)
     SELECT id, 1, gen_random_uuid(), 'INITIATED', now(), 'x', 'create' FROM created`,
    [id, amount, currency, method],
  )
  return id
}

/** Changes a payment's status. */
export async function movePayment(client: Client, id: string, to: string): Promise<void> {
  await client.query(
    `WITH moved AS (
       UPDATE payments SET status = $2, version = version + 1, updated_at = now() WHERE id = $1
       RETURNING *)
     INSERT INTO payment_events (payment_id, version, operation_id, to_status, at, actor, cause)
     SELECT id, version, gen_random_uuid(), $2, now(), 'x', 'status' FROM moved`,
    [id, to],
  )
}

type Sum = Readonly<Record<string, string>>

/** The totals in the table, by status, method and currency. */
export async function counted(client: Client): Promise<Sum> {
  return sums(
    await client.query(
      'SELECT status, payment_method, currency, entered AS n, amount_minor AS sum FROM payment_totals',
    ),
  )
}

/** The expected totals, computed from the events. */
export async function truth(client: Client): Promise<Sum> {
  return sums(
    await client.query(
      `SELECT to_status AS status, payment_method, currency, count(*) AS n, sum(amount_minor) AS sum
         FROM payment_events JOIN payments ON payments.id = payment_id GROUP BY 1, 2, 3`,
    ),
  )
}

function sums({ rows }: { rows: Record<string, string>[] }): Sum {
  const lines = rows.map((row) => [
    `${row.status} ${row.payment_method} ${row.currency}`,
    `${row.n}, ${row.sum}`,
  ])
  return Object.fromEntries(lines) as Sum
}

/** Folds until all events are counted. A transaction in any database of the server delays that. */
export async function countAll(client: Client, limit = 100): Promise<void> {
  await until(async () => {
    await foldAll(client, limit)
    const left = `SELECT FROM payment_events, payment_totals_position WHERE xid > folded_through LIMIT 1`
    return (await client.query(left)).rowCount === 0
  })
}

/** Folds all events that can be folded now. */
export async function foldAll(client: Client, limit = 100): Promise<void> {
  const run = runOn(client)
  while ((await foldEvents(run, limit)) > 0);
}

/** Resolves when every running transaction of the server is newer than the events written so far. */
export async function untilFoldable(client: Client): Promise<void> {
  const reached = `SELECT FROM payment_events HAVING max(xid) < pg_snapshot_xmin(pg_current_snapshot())`
  await until(async () => (await client.query(reached)).rowCount === 1)
}

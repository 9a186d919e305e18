import { setTimeout as sleep } from 'node:timers/promises'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { Database } from '@malipo/kit/postgres/database'
import { createLogger } from '@malipo/kit/telemetry/logger'
import { runToEnd } from '@malipo/local/process'
import { freshDatabase, query } from '@malipo/testing/database'
import {
  type PgBouncer,
  pgBouncer,
  pgBouncerVersion,
  startPgBouncer,
} from '@malipo/testing/pgbouncer'
import { Client } from 'pg'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { newUser } from './auth.js'
import { environment, type Payments, startPayments } from './payments.js'
import { as, type As, newPayment } from './requests.js'

/** The real PgBouncer with its stock configuration, between the service and its database. */

const LIMITS = `
SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,
       EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'limits') AS "isNamed",
       EXISTS (SELECT FROM pg_prepared_statements WHERE statement LIKE '%AS "isNamed"%') AS "isPrepared"`

const MIGRATION_LOCK = `
SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
 WHERE locktype = 'advisory' AND objid = 4711000 AND datname = current_database()`

const LONGEST_WAIT = `
SELECT extract(epoch FROM max(clock_timestamp() - query_start)) AS seconds FROM pg_stat_activity
 WHERE wait_event_type = 'Lock' AND datname = current_database()`

/** Runs `work` with a database of kit, connected to `url`. */
async function withDatabase<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const env = readEnv(environment({ DATABASE_URL: url }))
  const source = new DataSource(dataSourceOptions(env, dataSource))
  const database = new Database(source, env, createLogger('test', 'silent'))
  database.onApplicationBootstrap()
  try {
    return await work(database)
  } finally {
    await database.onApplicationShutdown()
  }
}

interface Limits {
  readonly statement: string
  readonly lock: string
  readonly isNamed: boolean
  readonly isPrepared: boolean
}

const limitsOf = (database: Database) =>
  database.read(async (run) => (await run<Limits>({ name: 'limits', text: LIMITS }, []))[0])

describe.skipIf(pgBouncer === undefined)('behind PgBouncer in transaction mode', () => {
  let bouncer: PgBouncer
  let directUrl: string
  let url: string
  let replicas: readonly Payments[]
  let users: readonly As[]

  beforeAll(async () => {
    directUrl = await freshDatabase('payments')
    bouncer = await startPgBouncer(inject('postgresUrl'), { pool_mode: 'transaction' })
    url = bouncer.url(new URL(directUrl).pathname.slice(1))
    const env = { DATABASE_URL: url }
    const migrations = Array.from({ length: 3 }, () =>
      runToEnd({ name: 'payments', script: 'migrate', env }),
    )
    await Promise.all(migrations)
    replicas = await Promise.all([1, 2].map(() => startPayments({ DATABASE_URL: url })))
    users = await Promise.all(replicas.map(async (replica) => as(await newUser(), replica)))
  })
  afterAll(async () => {
    await Promise.all((replicas ?? []).map((replica) => replica.close()))
    await bouncer?.stop()
  })

  it('runs each migration once, on three concurrent replicas', async () => {
    const names = await query<{ name: string }>(directUrl, 'SELECT name FROM migrations')
    expect(names.map(({ name }) => name)).toEqual(dataSource.migrations.map(({ name }) => name))
    expect(await query(directUrl, MIGRATION_LOCK)).toEqual([])
  })

  it('creates, changes, reads and lists payments on many server connections at once', async () => {
    const work = async (user: As) => {
      const reference = await newPayment(user)
      const moved = await user.move(reference, 'PENDING')
      const [read, list, events] = await Promise.all([
        user.get(reference),
        user.list(),
        user.events(reference),
      ])
      return [moved, read, list, events].map(({ status }) => status)
    }
    const rounds = Array.from({ length: 16 }, (_, i) => work(users[i % users.length] as As))
    const statuses = (await Promise.all(rounds)).flat()
    expect(new Set(statuses)).toEqual(new Set([200]))
  })

  it('answers a conflict, and the connection can be used again', async () => {
    const [user] = users as [As]
    const reference = await newPayment(user)
    expect((await user.move(reference, 'SUCCESS')).status).toBe(400)
    expect((await user.get(reference)).status).toBe(200)
  })

  it('limits each statement, and leaves no setting on a server connection', async () => {
    const limits = await withDatabase(url, limitsOf)
    expect(limits).toMatchObject({ statement: '5s', lock: '1s' })
    const clients = Array.from({ length: 15 }, () => new Client({ connectionString: url }))
    await Promise.all(clients.map((client) => client.connect()))
    // A transaction per client: each of them has a server connection to itself.
    await Promise.all(clients.map((client) => client.query('BEGIN')))
    const settings = await Promise.all(
      clients.map(async (client) => (await client.query<Limits>(LIMITS)).rows[0]),
    )
    await Promise.all(clients.map((client) => client.end()))
    for (const each of settings) expect(each).toMatchObject({ statement: '0', lock: '0' })
  })

  it('ends a statement that waits for a lock after one second', async () => {
    const [user] = users as [As]
    const reference = await newPayment(user)
    const holder = new Client({ connectionString: directUrl })
    await holder.connect()
    await holder.query('BEGIN')
    await holder.query('LOCK TABLE payments IN ACCESS EXCLUSIVE MODE')
    const moved = user.move(reference, 'PENDING')
    const waits: number[] = []
    for (const end = Date.now() + 3_000; Date.now() < end; await sleep(50)) {
      const [row] = await query<{ seconds: string | null }>(directUrl, LONGEST_WAIT)
      waits.push(Number(row?.seconds))
    }
    await holder.query('ROLLBACK')
    await holder.end()
    expect((await moved).status).toBe(200)
    expect(Math.max(...waits)).toBeGreaterThan(0.5)
    expect(Math.max(...waits)).toBeLessThan(2)
  })

  it('names prepared statements only if PgBouncer tracks them', async () => {
    const isTracked = (await pgBouncerVersion()) >= 1.24
    const limits = await withDatabase(url, limitsOf)
    expect(limits).toMatchObject({ isNamed: false, isPrepared: isTracked })
  })

  it('is ready behind PgBouncer in session mode, its default', async () => {
    const session = await startPgBouncer(inject('postgresUrl'), {})
    try {
      const path = new URL(directUrl).pathname.slice(1)
      expect(await withDatabase(session.url(path), limitsOf)).toMatchObject({ statement: '5s' })
    } finally {
      await session.stop()
    }
  })
})

describe('a direct connection', () => {
  it('sets its limits once, and names prepared statements', async () => {
    const url = await freshDatabase('payments')
    await runToEnd({ name: 'payments', script: 'migrate', env: { DATABASE_URL: url } })
    const limits = await withDatabase(url, limitsOf)
    expect(limits).toEqual({ statement: '5s', lock: '1s', isNamed: true, isPrepared: true })
  })
})

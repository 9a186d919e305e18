import { type Service, startService } from '@malipo/local/process'
import { Client as HttpClient } from '@malipo/testing/client'
import { freshDatabase, query } from '@malipo/testing/database'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest'
import { newUser } from './auth.js'
import { environment, migrate } from './payments.js'
import { as, type As, newPayment } from './requests.js'
import { until } from '@malipo/testing/until'

/** What a service logs while it waits for its database. */

interface Line {
  readonly level: string
  readonly msg: string
  readonly err?: { readonly code?: string; readonly message: string; readonly stack?: string }
  readonly status?: number
  readonly cause?: string
  readonly lockedBy?: readonly string[]
  readonly durationMs?: number
}

let databaseUrl: string
let service: Service
let user: As
let lines: Line[] = []

beforeAll(async () => {
  databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  service = await startService({
    name: 'payments',
    env: environment({ LOG_LEVEL: 'info', DATABASE_URL: databaseUrl, DB_WAIT_MS: '4000' }),
    onLine: (line) => lines.push(JSON.parse(line) as Line),
  })
  user = as(await newUser(), { client: new HttpClient(service.url) })
})
afterAll(() => service.stop())
beforeEach(() => void (lines = []))

const beginnings = () => lines.filter(({ msg }) => msg === 'the database is unavailable')
const ends = () => lines.filter(({ msg }) => msg === 'the database is available again')

/** Sends requests until the end of the outage is logged. */
async function untilEnded() {
  await until(async () => {
    await user.list()
    return ends().length > 0
  })
}

/** The access log has no stacks, and nothing else is logged for a request. */
function expectTwoLines() {
  expect(beginnings()).toHaveLength(1)
  expect(ends()).toHaveLength(1)
  const others = lines.filter((line) => !beginnings().includes(line) && !ends().includes(line))
  expect(others.filter(({ msg }) => msg !== 'request')).toEqual([])
  for (const { err } of others) expect(err).toBeUndefined()
}

it('logs a locked table once, with the session that holds the lock, and its end', async () => {
  const reference = await newPayment(user)
  const holder = new Client({ connectionString: databaseUrl, application_name: 'psql of Amina' })
  await holder.connect()
  const [{ pid }] = (await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))
    .rows as [{ pid: number }]
  await holder.query('BEGIN; LOCK TABLE payments IN ACCESS EXCLUSIVE MODE')
  const answers = await Promise.all([
    ...Array.from({ length: 12 }, () => user.create()),
    user.move(reference, 'PENDING'),
  ])
  await holder.end()
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
  await untilEnded()
  expectTwoLines()
  const [beginning] = beginnings()
  expect(beginning).toMatchObject({ level: 'warn', err: { code: '55P03' } })
  expect(beginning?.lockedBy).toHaveLength(1)
  const holderPattern = `^pid ${pid}, user \\w+, application psql of Amina, idle in transaction, in a transaction since 2`
  expect(beginning?.lockedBy?.[0]).toMatch(new RegExp(holderPattern))
  expect(ends()[0]?.durationMs).toBeGreaterThan(1_000)
  const [request] = lines.filter(({ status }) => status === 503)
  expect(request?.cause).toMatch(/lock timeout/)
})

it('logs a database that accepts no connections once, with PostgreSQL’s words', async () => {
  const name = new URL(databaseUrl).pathname.slice(1)
  const allow = (value: boolean) =>
    query(inject('postgresUrl'), `ALTER DATABASE ${name} ALLOW_CONNECTIONS ${value}`)
  await newPayment(user)
  await allow(false)
  const close = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`
  await query(inject('postgresUrl'), close)
  const answers = await Promise.all(Array.from({ length: 12 }, () => user.create()))
  await allow(true)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
  await untilEnded()
  expectTwoLines()
  expect(beginnings()).toMatchObject([{ err: { code: '55000' } }])
  const [request] = lines.filter(({ status }) => status === 503)
  expect(request?.cause).toMatch(/not currently accepting connections/)
})

it('logs an auth that can’t be reached once, with the error of the connection', async () => {
  const without = await startService({
    name: 'payments',
    env: environment({
      LOG_LEVEL: 'info',
      DATABASE_URL: databaseUrl,
      AUTH_SERVICE_URL: 'http://127.0.0.1:9',
    }),
    onLine: (line) => lines.push(JSON.parse(line) as Line),
  })
  lines = []
  const stranger = as(await newUser(), { client: new HttpClient(without.url) })
  const answers = await Promise.all(Array.from({ length: 8 }, () => stranger.list()))
  await without.stop()
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
  const warnings = lines.filter(({ level, msg }) => level === 'warn' && msg !== 'request')
  expect(warnings).toMatchObject([{ msg: 'auth is unavailable', err: { code: 'ECONNREFUSED' } }])
  for (const { err } of lines.filter(({ msg }) => msg === 'request')) expect(err).toBeUndefined()
})

import { runToEnd } from '@malipo/local/process'
import { freshDatabase, query } from '@malipo/testing/database'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { Client as Connection } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, newPayment } from './requests.js'
import { until } from '@malipo/testing/until'

/** States of a PostgreSQL that runs but does not do what the service needs, and their repair. */

const DB_WAIT_MS = 1_000
const ROLE = `payments_${crypto.randomUUID().slice(0, 8)}`

let ownerUrl: string
let roleUrl: URL
let database: string
let proxy: Proxy
let owner: User
let payments: Payments

const onServer = (text: string) => query(inject('postgresUrl'), text)
const onDatabase = (text: string) => query(ownerUrl, text)
const closeConnections = () =>
  onServer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE}'`)

beforeAll(async () => {
  ownerUrl = await freshDatabase('payments')
  database = new URL(ownerUrl).pathname.slice(1)
  await onServer(`CREATE ROLE ${ROLE} LOGIN PASSWORD 'role'`)
  await runToEnd({
    name: 'payments',
    script: 'migrate',
    env: { DATABASE_URL: ownerUrl, DB_SERVICE_ROLE: ROLE },
  })
  roleUrl = new URL(ownerUrl)
  proxy = await startProxy(Number(roleUrl.port))
  roleUrl.username = ROLE
  roleUrl.password = 'role'
  roleUrl.port = String(proxy.port)
  owner = await newUser()
  payments = await startPayments({ DATABASE_URL: roleUrl.href, DB_WAIT_MS: String(DB_WAIT_MS) })
})
afterAll(async () => {
  await payments.close()
  await proxy.close()
  await onDatabase(`DROP OWNED BY ${ROLE}`)
  await onServer(`DROP ROLE ${ROLE}`)
})

interface State {
  readonly kind: string
  readonly begin: () => Promise<unknown>
  readonly end: () => Promise<unknown>
}

/** A state of all connections that are opened while it lasts. */
const ofConnections = (kind: string, begin: string, end: string): State => ({
  kind,
  begin: () => onServer(begin).then(closeConnections),
  end: () => onServer(end).then(closeConnections),
})

const ofTables = (kind: string, begin: string, end: string): State => ({
  kind,
  begin: () => onDatabase(begin),
  end: () => onDatabase(end),
})

const FAIL = `
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE 'No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER fail BEFORE INSERT ON payments EXECUTE FUNCTION fail()`

function locked(): State {
  let holder: Connection
  return {
    kind: 'locked',
    begin: async () => {
      holder = new Connection({ connectionString: ownerUrl })
      await holder.connect()
      await holder.query('BEGIN; LOCK TABLE payments IN ACCESS EXCLUSIVE MODE')
    },
    end: () => holder.end(),
  }
}

describe('a request', () => {
  it.each<[string, () => State]>([
    [
      'the role’s password is wrong',
      () =>
        ofConnections(
          'wrong password',
          `ALTER ROLE ${ROLE} PASSWORD 'other'`,
          `ALTER ROLE ${ROLE} PASSWORD 'role'`,
        ),
    ],
    [
      'the role may not log in',
      () =>
        ofConnections('access refused', `ALTER ROLE ${ROLE} NOLOGIN`, `ALTER ROLE ${ROLE} LOGIN`),
    ],
    [
      'the role has no free connections',
      () =>
        ofConnections(
          'no free connections',
          `ALTER ROLE ${ROLE} CONNECTION LIMIT 0`,
          `ALTER ROLE ${ROLE} CONNECTION LIMIT -1`,
        ),
    ],
    [
      'the database accepts no connections',
      () =>
        ofConnections(
          'not accepting connections',
          `ALTER DATABASE ${database} ALLOW_CONNECTIONS false`,
          `ALTER DATABASE ${database} ALLOW_CONNECTIONS true`,
        ),
    ],
    [
      'the database is read-only',
      () =>
        ofConnections(
          'read-only',
          `ALTER ROLE ${ROLE} SET default_transaction_read_only = on`,
          `ALTER ROLE ${ROLE} RESET default_transaction_read_only`,
        ),
    ],
    [
      'a right is missing',
      () =>
        ofTables(
          'missing right',
          `REVOKE INSERT ON payments FROM ${ROLE}`,
          `GRANT INSERT ON payments TO ${ROLE}`,
        ),
    ],
    [
      'a table is missing',
      () =>
        ofTables(
          'missing schema',
          'ALTER TABLE payments RENAME TO away',
          'ALTER TABLE away RENAME TO payments',
        ),
    ],
    [
      'a column is missing',
      () =>
        ofTables(
          'missing schema',
          'ALTER TABLE payments RENAME description TO away',
          'ALTER TABLE payments RENAME away TO description',
        ),
    ],
    [
      'the disk is full',
      () => ofTables('disk full', FAIL, 'DROP TRIGGER fail ON payments; DROP FUNCTION fail'),
    ],
    ['a table is locked', locked],
  ])('gets 503 while %s, and succeeds after its repair', async (_, stateOf) => {
    const user = as(owner, payments)
    const { kind, begin, end } = stateOf()
    await newPayment(user)
    await begin()
    try {
      const requests = Array.from({ length: 4 }, async () => {
        const begunAt = performance.now()
        const { status, body, headers } = await user.create()
        expect([status, body.type]).toEqual([503, '/problems/unavailable'])
        expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
        return performance.now() - begunAt
      })
      // The limit has a margin for a busy machine; the longest waits without a deadline took over 14 s.
      expect(Math.max(...(await Promise.all(requests)))).toBeLessThan(DB_WAIT_MS + 1_500)
      const health = async () => (await payments.client.get('/health')).body.details.database
      await until(async () => {
        // The kind is that of recent failures.
        await user.create()
        return (await health()).message === kind
      })
      expect((await payments.client.get('/health/ready')).body).toEqual({ status: 'degraded' })
    } finally {
      await end()
    }
    const repairedAt = performance.now()
    await until(async () => (await user.create()).status === 201)
    expect(performance.now() - repairedAt).toBeLessThan(5_000)
    await until(async () => (await payments.client.get('/health')).body.status === 'ok')
  })
})

describe('while each connection is lost soon after it was opened', () => {
  it('a replica opens few connections, and serves requests when they last again', async () => {
    const user = as(owner, payments)
    proxy.cutAfter(1_000)
    proxy.cut()
    const before = proxy.accepted
    const end = performance.now() + 3_000
    const caller = async () => {
      while (performance.now() < end) expect([201, 503]).toContain((await user.create()).status)
    }
    await Promise.all(Array.from({ length: 20 }, caller)).finally(() => proxy.cutAfter(Infinity))
    const seconds = (performance.now() - end) / 1_000 + 3
    expect(proxy.accepted - before).toBeGreaterThan(1)
    // Each pause takes 188 to 250 ms, except for the first ones.
    expect(proxy.accepted - before).toBeLessThan(10 + 6 * seconds)
    await until(async () => (await user.create()).status === 201)
  })
})

describe('while PostgreSQL refuses writes', () => {
  it('a replica replaces each connection at most once a second', async () => {
    const user = as(owner, payments)
    await onServer(`ALTER ROLE ${ROLE} SET default_transaction_read_only = on`)
    await closeConnections()
    const end = performance.now() + 3_000
    const before = proxy.accepted
    try {
      const caller = async () => {
        while (performance.now() < end) expect((await user.create()).status).toBe(503)
      }
      await Promise.all(Array.from({ length: 20 }, caller))
    } finally {
      await onServer(`ALTER ROLE ${ROLE} RESET default_transaction_read_only`)
    }
    const seconds = (performance.now() - end) / 1_000 + 3
    const connections = await payments.metric('db_pool_connections_max')
    expect(proxy.accepted - before).toBeGreaterThan(0)
    expect(proxy.accepted - before).toBeLessThanOrEqual(Math.ceil(seconds + 1) * connections)
    // Connections that were opened before the repair are replaced too.
    await until(async () => (await user.create()).status === 201)
  })
})

describe('while PostgreSQL refuses connections', () => {
  let replica: Payments
  afterEach(() => replica.close())

  it('a replica makes few attempts, and all requests succeed when it accepts them again', async () => {
    replica = await payments.replica({ DB_WAIT_MS: '20000' })
    const user = as(owner, replica)
    const others = proxy.accepted
    await payments.close()
    await onServer(`ALTER ROLE ${ROLE} CONNECTION LIMIT 0`)
    await closeConnections()
    const creations = Array.from({ length: 40 }, () => user.create())
    await new Promise((resolve) => setTimeout(resolve, 500))
    const before = proxy.accepted
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const attempts = proxy.accepted - before
    await onServer(`ALTER ROLE ${ROLE} CONNECTION LIMIT -1`)
    const acceptedAt = performance.now()
    const answers = await Promise.all(creations)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(performance.now() - acceptedAt).toBeLessThan(10_000)
    expect(others).toBeGreaterThan(0)
    expect(attempts).toBeGreaterThan(2)
    expect(attempts).toBeLessThan(3 * 6)
  })
})

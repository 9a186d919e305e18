import { setFlagsFromString, getHeapSpaceStatistics } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { Database, type Statement } from '@malipo/kit/postgres/database'
import { StaleWrite, StillRunning } from '@malipo/kit/postgres/retry'
import { createLogger, type Logger } from '@malipo/kit/telemetry/logger'
import { freshDatabase } from '@malipo/testing/database'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { DataSource } from 'typeorm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { newUser } from './auth.js'
import { environment, migrate, startPayments, type Payments } from './payments.js'
import { as, newPayment, type As } from './requests.js'

/** The limits on a statement: how long its result may take, and how much memory it retains afterwards. */

let databaseUrl: string
let proxy: Proxy

beforeAll(async () => {
  databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  proxy = await startProxy(Number(new URL(databaseUrl).port))
})
afterAll(() => proxy.close())

describe('a database that accepts statements and does not respond', () => {
  const SILENT_MS = 3_600_000
  let payments: Payments
  let user: As

  beforeAll(async () => {
    const url = new URL(databaseUrl)
    url.port = String(proxy.port)
    payments = await startPayments({ DATABASE_URL: url.href, DB_WAIT_MS: '1000' })
    user = as(await newUser(), payments)
  })
  afterEach(() => proxy.slow(0))
  afterAll(() => payments.close())

  const reads = {
    'a payment': { read: async (reference: string) => user.get(reference), withinMs: 3_000 },
    // TypeORM sends this query. Its timeout is the same for all queries.
    'a list': { read: async () => user.list(), withinMs: 9_000 },
  }

  it.each(Object.entries(reads))(
    'fails a read of %s in time, and the next one succeeds',
    async (_, { read, withinMs }) => {
      const reference = await newPayment(user)
      proxy.slow(SILENT_MS)
      const startedAt = Date.now()
      expect((await read(reference)).status).toBe(503)
      expect(Date.now() - startedAt).toBeLessThan(withinMs)
      proxy.slow(0)
      expect((await read(reference)).status).toBe(200)
    },
  )
})

describe('a statement whose result was read', () => {
  const ROWS: Statement = {
    name: 'wide_rows',
    text: `SELECT repeat(md5(n::text), 16) AS text FROM generate_series(1, 20) AS n`,
  }
  const STATEMENTS = 300
  const BYTES = 20 * 16 * 32

  it('leaves nothing in the old generation', async () => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void
    const database = newDatabase(createLogger('test', 'silent'))
    const execute = async (times: number) => {
      for (let i = 0; i < times; i++) {
        await database.read((run) => run(ROWS, []))
        if (i % 10 === 0) gc({ type: 'minor' })
      }
    }
    await execute(100)
    gc({ type: 'major' })
    const before = oldBytes()
    await execute(STATEMENTS)
    expect((oldBytes() - before) / STATEMENTS).toBeLessThan(BYTES / 5)
    await database.onApplicationShutdown()
  })
})

describe('a write that asks for a retry', () => {
  it.each([
    ['because another write has changed the row', StaleWrite],
    ['because an earlier attempt is still running', StillRunning],
  ])('%s is no outage', async (_, Reason) => {
    const lines: string[] = []
    const database = newDatabase(
      createLogger('test', 'warn', { write: (line) => lines.push(line) }),
    )
    let attempts = 0
    const write = database.write(async () => {
      if (attempts++ === 0) throw new Reason()
      return attempts
    })
    expect(await write).toBe(2)
    expect(await database.problem()).toBeUndefined()
    expect(lines).toEqual([])
    await database.onApplicationShutdown()
  })
})

function newDatabase(log: Logger): Database {
  const env = readEnv(environment({ DATABASE_URL: databaseUrl }))
  const database = new Database(new DataSource(dataSourceOptions(env, dataSource)), env, log)
  database.onApplicationBootstrap()
  return database
}

function oldBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')
  return space?.space_used_size ?? NaN
}

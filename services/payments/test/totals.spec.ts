import { setTimeout as sleep } from 'node:timers/promises'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@malipo/local/postgres'
import fc from 'fast-check'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PAYMENT_METHODS } from '../src/money/payment-methods.js'
import { foldEvents } from '../src/totals/fold.store.js'
import {
  countAll,
  counted,
  foldAll,
  type PaymentsDatabase,
  openPaymentsDatabase,
  movePayment,
  newPaymentsDatabase,
  ownServer,
  runOn,
  truth,
  untilFoldable,
  writePayment,
} from './payments-database.js'
import { until } from '@malipo/testing/until'

/** Each event is counted exactly once, even with concurrent transactions, concurrent folds and crashes. */

let database: PaymentsDatabase
let client: Client
let server: Awaited<ReturnType<typeof ownServer>>
beforeAll(async () => {
  server = await ownServer()
  database = await newPaymentsDatabase(server.url)
  client = await database.connection()
})
afterAll(async () => {
  await database.close()
  await server.stop()
})

describe('a fold', () => {
  it('counts payments that entered a status, and their amounts', async () => {
    const id = await writePayment(client, { amount: 700, method: 'CARD', currency: 'USD' })
    await movePayment(client, id, 'PENDING')
    await movePayment(client, id, 'FAILED')
    await writePayment(client, { amount: 300, method: 'CARD', currency: 'USD' })
    await countAll(client)
    expect(await counted(client)).toMatchObject({
      'INITIATED CARD USD': '2, 1000',
      'PENDING CARD USD': '1, 700',
      'FAILED CARD USD': '1, 700',
    })
  })

  it('stops after its limit, but never within a transaction', async () => {
    await countAll(client)
    await client.query('BEGIN')
    for (let n = 0; n < 25; n++) await writePayment(client)
    await client.query('COMMIT')
    for (let n = 0; n < 25; n++) await writePayment(client)
    await untilFoldable(client)
    expect(await foldEvents(runOn(client), 10)).toBe(10)
    const rest = []
    for (let pending = 1; pending > 0; rest.push(pending)) {
      pending = await foldEvents(runOn(client), 10)
    }
    expect(rest).toEqual([10, 10, 5, 0])
    expect(await counted(client)).toEqual(await truth(client))
  })

  it('is exact above 2^53', async () => {
    const amount = 100_000_000_000_001
    for (let n = 0; n < 101; n++) await writePayment(client, { amount, currency: 'KES' })
    await countAll(client)
    const sum = String(BigInt(amount) * 101n)
    expect(BigInt(sum)).toBeGreaterThan(2n ** 53n)
    expect((await counted(client))['INITIATED MOBILE_MONEY KES']).toBe(`101, ${sum}`)
  })

  it('counts an event of a long transaction after it has committed', async () => {
    await countAll(client)
    const before = await counted(client)
    const slow = await database.connection()
    await slow.query('BEGIN')
    await writePayment(slow, { currency: 'TZS' })
    await writePayment(client, { currency: 'RWF' })
    await foldAll(client)
    expect(await counted(client)).toEqual(before)
    await slow.query('COMMIT')
    await countAll(client)
    expect(await counted(client)).toEqual({
      ...before,
      'INITIATED MOBILE_MONEY TZS': '1, 500',
      'INITIATED MOBILE_MONEY RWF': '1, 500',
    })
  })

  it('rolls back when its connection is killed', async () => {
    await countAll(client)
    const before = await counted(client)
    await writePayment(client)
    await untilFoldable(client)
    const [holder, folder] = [await database.connection(), await database.connection()]
    await holder.query('BEGIN')
    // A table lock alone assigns no transaction id. A transaction with an id would delay the fold.
    await holder.query('LOCK TABLE payment_totals IN SHARE MODE')
    const { rows } = await folder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const folding = foldEvents(runOn(folder), 100).catch((error: unknown) => error)
    await until(async () => {
      const waits = `SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'`
      return (await client.query(waits, [rows[0]?.pid])).rowCount
    })
    await client.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
    expect(await folding).toBeInstanceOf(Error)
    await holder.query('COMMIT')
    expect(await counted(client)).toEqual(before)
    await countAll(client)
    expect(await counted(client)).toEqual(await truth(client))
  })

  it('counts each event once when several folds start from the same position', async () => {
    await countAll(client)
    for (let n = 0; n < 50; n++) await writePayment(client)
    await untilFoldable(client)
    const holder = await database.connection()
    const folders = await Promise.all([1, 2, 3, 4].map(() => database.connection()))
    await holder.query('BEGIN')
    await holder.query('SELECT FROM payment_totals_position FOR UPDATE')
    const folding = folders.map((folder) => foldEvents(runOn(folder), 1000))
    await until(async () => {
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%UPDATE payment_totals_position%'`
      return (await client.query(waiting)).rowCount === folders.length
    })
    await holder.query('COMMIT')
    await Promise.all(folding)
    expect(await counted(client)).toEqual(await truth(client))
  })

  it('writes nothing without new events', async () => {
    await countAll(client)
    const position = async () =>
      (await client.query('SELECT xmin, ctid FROM payment_totals_position')).rows[0]
    const before = await position()
    expect(await foldEvents(runOn(client), 10)).toBe(0)
    expect(await position()).toEqual(before)
  })
})

/** The transactions of one concurrent writer, in order. */
const writer = fc.array(
  fc.record({
    steps: fc.integer({ min: 1, max: 4 }),
    moves: fc.integer({ min: 0, max: 2 }),
    currency: fc.constantFrom('UGX', 'KES', 'USD'),
    method: fc.constantFrom(...PAYMENT_METHODS),
    amount: fc.integer({ min: 1, max: 1_000_000 }),
    pauseMs: fc.integer({ min: 0, max: 15 }),
    rollsBack: fc.boolean(),
  }),
  { minLength: 1, maxLength: 8 },
)
type Transactions = typeof writer extends fc.Arbitrary<infer T> ? T : never

async function write(on: Client, transactions: Transactions) {
  for (const { steps, moves, pauseMs, rollsBack, ...payment } of transactions) {
    await on.query('BEGIN')
    for (let n = 0; n < steps; n++) {
      const id = await writePayment(on, payment)
      if (moves > 0) await movePayment(on, id, 'PENDING')
      await sleep(pauseMs)
      if (moves > 1) await movePayment(on, id, n % 2 === 0 ? 'SUCCESS' : 'FAILED')
    }
    await on.query(rollsBack ? 'ROLLBACK' : 'COMMIT')
  }
}

it('counts each event once with concurrent writers and folds', async () => {
  const writers = await Promise.all([1, 2, 3, 4].map(() => database.connection()))
  const folders = await Promise.all([1, 2, 3].map(() => database.connection()))
  const plans = fc.tuple(writer, writer, writer, writer)
  await fc.assert(
    fc.asyncProperty(plans, fc.integer({ min: 1, max: 20 }), async (each, limit) => {
      const finished = new AbortController()
      const folding = folders.map(async (folder) => {
        for (; !finished.signal.aborted; await sleep(1)) await foldEvents(runOn(folder), limit)
      })
      await Promise.all(each.map((transactions, n) => write(writers[n]!, transactions)))
      finished.abort()
      await Promise.all(folding)
      await countAll(client)
      expect(await counted(client)).toEqual(await truth(client))
    }),
    { numRuns: 12 },
  )
})

it('continues after a crash of the database', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'malipo-totals-'))
  const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), databases: [] })
  const before = await newPaymentsDatabase(postgres.url('postgres'))
  const [writing, folding] = [await before.connection(), await before.connection()]
  const crash = new AbortController()
  const work = [
    (async () => {
      while (!crash.signal.aborted) await write(writing, fc.sample(writer, 1)[0]!)
    })(),
    (async () => {
      for (; !crash.signal.aborted; await sleep(2)) await foldEvents(runOn(folding), 7)
    })(),
  ].map((each) => each.catch(() => undefined))
  await sleep(1_000)
  await postgres.kill()
  crash.abort()
  await Promise.all([...work, before.close()])
  await postgres.restart()
  const after = openPaymentsDatabase(before.url)
  const there = await after.connection()
  expect(Object.keys(await truth(there))).not.toHaveLength(0)
  await countAll(there)
  expect(await counted(there)).toEqual(await truth(there))
  await after.close()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})

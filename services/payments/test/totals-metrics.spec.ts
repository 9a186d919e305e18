import { freshDatabase } from '@malipo/testing/database'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { CURRENCIES } from '../src/money/currencies.js'
import { PAYMENT_METHODS } from '../src/money/payment-methods.js'
import { newUser } from './auth.js'
import {
  type PaymentsDatabase,
  openPaymentsDatabase,
  movePayment,
  ownServer,
  writePayment,
} from './payments-database.js'
import { migrate, type Payments, startPayments } from './payments.js'
import { as, newPayment } from './requests.js'
import { until } from '@malipo/testing/until'

/** The metrics of the payment totals, on several replicas of the service. */

let server: Awaited<ReturnType<typeof ownServer>>
let database: PaymentsDatabase
let replicas: Payments[]
beforeAll(async () => {
  server = await ownServer()
  const DATABASE_URL = await freshDatabase('payments', server.url)
  await migrate(DATABASE_URL)
  database = openPaymentsDatabase(DATABASE_URL)
  const first = await startPayments({ DATABASE_URL })
  replicas = [first, await first.replica(), await first.replica()]
})
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.close()))
  await database.close()
  await server.stop()
})

const linesOf = async (replica: Payments, name = 'payments_entered_total') =>
  String((await replica.client.get('/metrics')).body)
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))

it('reports the same totals on every replica', async () => {
  const user = as(await newUser(), replicas[0]!)
  for (let n = 0; n < 3; n++) await newPayment(user, 'PENDING', 'SUCCESS')
  const labels = '{status="SUCCESS",method="MOBILE_MONEY",currency="UGX"}'
  for (const replica of replicas) {
    await until(async () => (await replica.metric(`payments_entered_total${labels}`)) === 3)
    expect(await replica.metric(`payments_entered_amount_minor_total${labels}`)).toBe(15_000)
    expect(await linesOf(replica, 'payment_totals_lag_seconds')).toEqual([
      'payment_totals_lag_seconds 0',
    ])
  }
})

it('reports the same totals after a restart', async () => {
  const before = await linesOf(replicas[0]!)
  const restarted = await replicas[0]!.replica()
  replicas.push(restarted)
  await until(async () => (await linesOf(restarted)).length > 0)
  expect(await linesOf(restarted)).toEqual(before)
})

it('continues to fold after a replica has stopped', async () => {
  const client = await database.connection()
  await replicas.pop()!.close()
  await writePayment(client, { currency: 'ZMW' })
  const line = 'payments_entered_total{status="INITIATED",method="MOBILE_MONEY",currency="ZMW"}'
  await until(async () => (await replicas[0]!.metric(line)) === 1)
})

it('counts open payments by the time in their status', async () => {
  const client = await database.connection()
  const id = await writePayment(client)
  await movePayment(client, id, 'PENDING')
  await client.query(`UPDATE payments SET updated_at = now() - interval '2 hours' WHERE id = $1`, [
    id,
  ])
  const [replica] = replicas
  await until(async () => (await replica!.metric('payments_open{status="PENDING",age="1h"}')) === 1)
  expect(await replica!.metric('payments_open{status="PENDING",age="1d"}')).toBe(0)
  const oldest = await replica!.metric('payments_open_oldest_seconds{status="PENDING"}')
  expect(oldest).toBeGreaterThanOrEqual(7200)
})

it('has at most one series for each status, method and currency', async () => {
  const client = await database.connection()
  await client.query('BEGIN')
  for (const [n, currency] of CURRENCIES.entries()) {
    for (const method of PAYMENT_METHODS) {
      const id = await writePayment(client, { currency, method })
      await movePayment(client, id, 'PENDING')
      await movePayment(client, id, n % 2 === 0 ? 'SUCCESS' : 'FAILED')
    }
  }
  await client.query('COMMIT')
  const limit = 4 * PAYMENT_METHODS.length * CURRENCIES.length
  const entered = 3 * PAYMENT_METHODS.length * CURRENCIES.length
  const replica = replicas[0]!
  await until(async () => (await linesOf(replica)).length >= entered)
  const series = await linesOf(replica)
  expect(CURRENCIES.length).toBeGreaterThan(150)
  expect(series.length).toBeLessThanOrEqual(limit)
  expect(await linesOf(replica, 'payments_entered_amount_minor_total')).toHaveLength(series.length)
  expect((await linesOf(replica, 'payments_open')).length).toBe(6)
})

it('counts a backlog in several batches', async () => {
  const DATABASE_URL = await freshDatabase('payments', server.url)
  await migrate(DATABASE_URL)
  const backlog = openPaymentsDatabase(DATABASE_URL)
  const client = await backlog.connection()
  for (let n = 0; n < 1_200; n++) await writePayment(client)
  await backlog.close()
  const replica = await startPayments({ DATABASE_URL })
  const line = 'payments_entered_total{status="INITIATED",method="MOBILE_MONEY",currency="UGX"}'
  await until(async () => (await replica.metric(line)) === 1_200)
  await replica.close()
})

it('reports nothing, and does not delay the shutdown, while the database is down', async () => {
  const own = await ownServer()
  const DATABASE_URL = await freshDatabase('payments', own.url)
  await migrate(DATABASE_URL)
  const replica = await startPayments({ DATABASE_URL })
  await until(async () => (await linesOf(replica, 'payment_totals_lag_seconds')).length > 0)
  await own.stop()
  const isGone = async () => (await linesOf(replica, 'payment_totals_lag_seconds')).length === 0
  await vi.waitUntil(isGone, { timeout: 40_000, interval: 200 })
  const startedAt = Date.now()
  await replica.close()
  expect(Date.now() - startedAt).toBeLessThan(5_000)
}, 60_000)

import { setTimeout as sleep } from 'node:timers/promises'
import { freshDatabase } from '@malipo/testing/database'
import { data } from 'currency-codes'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isCurrency } from '../src/payments/money.js'
import { PAYMENT_METHODS } from '../src/payments/payment.entity.js'
import { newUser } from './auth.js'
import { type Ledger, ledgerAt, movePayment, ownServer, writePayment } from './ledger.js'
import { migrate, type Payments, startPayments } from './payments.js'
import { as, newPayment } from './requests.js'
import { until } from './until.js'

/** Totals as Prometheus sees them: the same on every replica and after a restart. */

let server: Awaited<ReturnType<typeof ownServer>>
let ledger: Ledger
let replicas: Payments[]
beforeAll(async () => {
  server = await ownServer()
  const DATABASE_URL = await freshDatabase('payments', server.url)
  await migrate(DATABASE_URL)
  ledger = ledgerAt(DATABASE_URL)
  const first = await startPayments({ DATABASE_URL })
  replicas = [first, await first.replica(), await first.replica()]
})
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.close()))
  await ledger.close()
  await server.stop()
})

const told = async (of: Payments, name = 'payments_entered_total') =>
  String((await of.client.get('/metrics')).body)
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))

const tellers = async () => {
  const all = await Promise.all(replicas.map((replica) => told(replica)))
  return replicas.filter((_, n) => all[n]!.length > 0)
}

it('are reported by every replica', async () => {
  const user = as(await newUser(), replicas[0]!)
  for (let n = 0; n < 3; n++) await newPayment(user, 'PENDING', 'SUCCESS')
  const line = 'payments_entered_total{status="SUCCESS",method="MOBILE_MONEY",currency="UGX"}'
  await until(async () => {
    const values = await Promise.all(replicas.map((replica) => replica.metric(line)))
    return values.every((value) => value === 3)
  })
  const [teller] = await tellers()
  expect(await told(teller!, 'payments_entered_amount_minor_total')).toContain(
    'payments_entered_amount_minor_total{status="SUCCESS",method="MOBILE_MONEY",currency="UGX"} 15000',
  )
  expect(await told(teller!, 'payment_totals_lag_seconds')).toEqual([
    'payment_totals_lag_seconds 0',
  ])
})

it('are the same after a restart', async () => {
  const before = await told(replicas[0]!)
  const restarted = await replicas[0]!.replica()
  replicas.push(restarted)
  await until(async () => (await told(restarted)).length > 0)
  expect(await told(restarted)).toEqual(before)
})

it('tell how many are open, by their age', async () => {
  const client = await ledger.connection()
  const id = await writePayment(client)
  await movePayment(client, id, 'PENDING')
  await client.query(`UPDATE payments SET updated_at = now() - interval '2 hours' WHERE id = $1`, [
    id,
  ])
  await until(async () => {
    const [teller] = await tellers()
    return teller && (await teller.metric('payments_open{status="PENDING",age="1h"}')) === 1
  })
  const [teller] = await tellers()
  expect(await teller!.metric('payments_open{status="PENDING",age="1d"}')).toBe(0)
  const oldest = await teller!.metric('payments_open_oldest_seconds{status="PENDING"}')
  expect(oldest).toBeGreaterThanOrEqual(7200)
})

it('have no more series than statuses, methods and currencies', async () => {
  const currencies = data.map(({ code }) => code).filter(isCurrency)
  const client = await ledger.connection()
  await client.query('BEGIN')
  for (const [n, currency] of currencies.entries()) {
    for (const method of PAYMENT_METHODS) {
      const id = await writePayment(client, { currency, method })
      await movePayment(client, id, 'PENDING')
      await movePayment(client, id, n % 2 === 0 ? 'SUCCESS' : 'FAILED')
    }
  }
  await client.query('COMMIT')
  const most = 4 * PAYMENT_METHODS.length * currencies.length
  const settled = 3 * PAYMENT_METHODS.length * currencies.length
  await until(async () => {
    const [teller] = await tellers()
    return teller && (await told(teller)).length >= settled
  })
  const [teller] = await tellers()
  const series = await told(teller!)
  expect(currencies.length).toBeGreaterThan(150)
  expect(series.length).toBeLessThanOrEqual(most)
  expect(await told(teller!, 'payments_entered_amount_minor_total')).toHaveLength(series.length)
  expect((await told(teller!, 'payments_open')).length).toBe(6)
})

it('are told when all of a backlog is counted', async () => {
  const DATABASE_URL = await freshDatabase('payments', server.url)
  await migrate(DATABASE_URL)
  const before = ledgerAt(DATABASE_URL)
  const client = await before.connection()
  for (let n = 0; n < 1_200; n++) await writePayment(client)
  await before.close()
  const alone = await startPayments({ DATABASE_URL })
  await until(async () => (await told(alone)).length > 0)
  expect(await told(alone)).toEqual([
    'payments_entered_total{status="INITIATED",method="MOBILE_MONEY",currency="UGX"} 1200',
  ])
  await alone.close()
})

it('keep no replica from ending while its database is away', async () => {
  const own = await ownServer()
  const DATABASE_URL = await freshDatabase('payments', own.url)
  await migrate(DATABASE_URL)
  const alone = await startPayments({ DATABASE_URL })
  await until(async () => (await told(alone, 'payment_totals_lag_seconds')).length > 0)
  await own.stop()
  // By then a round waits for it.
  await sleep(3_000)
  const began = Date.now()
  await alone.close()
  expect(Date.now() - began).toBeLessThan(5_000)
})

import type { Migrated } from '@malipo/kit/postgres/migrate'
import { freshDatabase } from '@malipo/testing/database'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import { expect, it, onTestFinished } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { newUser } from './auth.js'
import { migrate, type Payments, startPayments } from './payments.js'
import { as, type As, fromProvider, newPayment, webhookBody } from './requests.js'
import { until } from './until.js'

/**
 * Runs the next release's migrations on a database of an earlier release, with rows that the earlier release
 * wrote.
 *
 * The first release must add a case here: the names of its migrations, which never change after that, and a
 * frozen SQL file of its rows in place of `write`. Until then, a synthetic migration after the current ones
 * tests the procedure.
 */
interface Release {
  readonly migrations: Migrated['migrations']
  /** Inserts rows as the earlier release would have. */
  write(databaseUrl: string): Promise<void>
}

/** Upgrades a database of `release` with `migrations`, and starts the service on it. */
async function upgrade(
  release: Release,
  migrations: Migrated['migrations'] = dataSource.migrations,
): Promise<Payments> {
  const DATABASE_URL = await freshDatabase('payments')
  await migrate(DATABASE_URL, release.migrations)
  await release.write(DATABASE_URL)
  await migrate(DATABASE_URL, migrations)
  const payments = await startPayments({ DATABASE_URL })
  onTestFinished(() => payments.close())
  return payments
}

/** A migration of a later release, with a column that the running release does not know. */
class Synthetic9999999999999 implements MigrationInterface {
  name = 'Synthetic9999999999999'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE payments ADD COLUMN note text NOT NULL DEFAULT 'none'`)
  }

  async down(): Promise<void> {}
}

/** A migration of a later release that changes the type of a column, which prepared statements return. */
class Widening9999999999998 implements MigrationInterface {
  name = 'Widening9999999999998'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE payments ALTER COLUMN amount_minor TYPE numeric(30)')
  }

  async down(): Promise<void> {}
}

it('serves every request while a later migration widens a column', async () => {
  // Without batching, concurrent requests use one connection each, and each prepares the statements.
  const payments = await startPayments({ DB_BATCH_MAX: '1' })
  onTestFinished(() => payments.close())
  const user = as(await newUser(), payments)
  const stop = new AbortController()
  const statuses: number[] = []
  const note = ({ status, body }: Awaited<ReturnType<As['create']>>) => {
    statuses.push(status)
    return body.reference as string
  }
  const customer = async () => {
    while (!stop.signal.aborted) {
      const reference = note(await user.create())
      note(await user.move(reference, 'PENDING'))
      note(await user.get(reference))
      note(await user.webhook(webhookBody(reference, 'SUCCESS')))
    }
  }
  const customers = Array.from({ length: 8 }, customer)
  const more = async (count: number) => {
    const enough = statuses.length + count
    await until(() => statuses.length >= enough)
  }
  await more(100)
  await migrate(payments.databaseUrl, [...dataSource.migrations, Widening9999999999998])
  await more(100)
  stop.abort()
  await Promise.all(customers)
  expect(new Set(statuses)).toEqual(new Set([200, 201]))
  // A statement is prepared again once, not once for each connection.
  expect(await payments.metric('db_retries_total{verdict="not_applied"}')).toBeGreaterThan(0)
  expect(await payments.metric('db_retries_total{verdict="not_applied"}')).toBeLessThan(100)
})

it('keeps payments, events, webhooks and idempotency keys through a later migration', async () => {
  const owner = await newUser()
  const key = { 'idempotency-key': 'order-17' }
  const seen = async (user: As, reference: string) => [
    (await user.list()).body,
    (await user.events(reference)).body,
  ]
  let before: unknown
  let reference = ''
  let webhook = webhookBody(reference, 'SUCCESS')
  const write = async (DATABASE_URL: string) => {
    const payments = await startPayments({ DATABASE_URL })
    const user = as(owner, payments)
    reference = await newPayment(user, 'PENDING')
    webhook = webhookBody(reference, 'SUCCESS')
    await fromProvider(payments, webhook)
    await user.create({}, key)
    before = await seen(user, reference)
    await payments.close()
  }
  const { migrations } = dataSource
  const payments = await upgrade({ migrations, write }, [...migrations, Synthetic9999999999999])
  expect(await payments.sql('SELECT note FROM payments')).toEqual([
    { note: 'none' },
    { note: 'none' },
  ])
  const user = as(owner, payments)
  expect(await seen(user, reference)).toEqual(before)
  expect((await user.create({}, key)).headers.get('idempotent-replayed')).toBe('true')
  expect((await fromProvider(payments, webhook)).body.version).toBe(3)
  expect(await newPayment(user, 'PENDING', 'SUCCESS')).toMatch(/^PAY-/)
})

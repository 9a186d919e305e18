import type { MigrationInterface, QueryRunner } from 'typeorm'
import { expect, it, onTestFinished } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { newUser } from './auth.js'
import { migrate, startPayments } from './payments.js'
import { as, type As, webhookBody } from './requests.js'
import { until } from '@malipo/testing/until'

/**
 * A migration of a later release. It adds a column that the running release does not know, and changes the type
 * of a column that prepared statements return.
 */
class LaterRelease9999999999998 implements MigrationInterface {
  name = 'LaterRelease9999999999998'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE payments
        ADD COLUMN note text NOT NULL DEFAULT 'none',
        ALTER COLUMN amount_minor TYPE numeric(30)`)
  }

  async down(): Promise<void> {}
}

it('serves every request while a later migration adds and widens columns', async () => {
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
  const customers = Array.from({ length: 4 }, customer)
  const more = async (count: number) => {
    const enough = statuses.length + count
    await until(() => statuses.length >= enough)
  }
  await more(50)
  await migrate(payments.databaseUrl, [...dataSource.migrations, LaterRelease9999999999998])
  await more(50)
  stop.abort()
  await Promise.all(customers)
  expect(new Set(statuses)).toEqual(new Set([200, 201]))
  // A statement is prepared again once, not once for each connection.
  expect(await payments.metric('db_retries_total{verdict="not_applied"}')).toBeGreaterThan(0)
  expect(await payments.metric('db_retries_total{verdict="not_applied"}')).toBeLessThan(100)
}, 60_000)

import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import { DataSource } from 'typeorm'
import { v7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { KeySweeper } from '../src/idempotency/key-sweeper.js'
import { environment, listening } from './payments.js'
import { newPayment, webhookBody } from './requests.js'
import { until } from '@malipo/testing/until'
import { withPayments } from './with-payments.js'

/** The constraints and triggers, which apply to any SQL statement. */

const { payments, user } = await withPayments()

describe('a terminal payment', () => {
  it.each([
    ['SUCCESS', `UPDATE payments SET status = 'FAILED' WHERE reference = $1`],
    ['FAILED', `UPDATE payments SET status = 'SUCCESS' WHERE reference = $1`],
    ['SUCCESS', `UPDATE payments SET status = 'PENDING' WHERE reference = $1`],
    ['SUCCESS', `UPDATE payments SET amount_minor = 1 WHERE reference = $1`],
    ['SUCCESS', `UPDATE payments SET status = status WHERE reference = $1`],
    ['FAILED', 'DELETE FROM payments WHERE reference = $1'],
  ])('with status %s can’t be changed by %s', async (status, statement) => {
    const reference = await newPayment(user, 'PENDING', status)
    const before = (await user.get(reference)).body
    await expect(payments.sql(statement, reference)).rejects.toMatchObject({
      constraint: 'payments_terminal',
    })
    expect((await user.get(reference)).body).toEqual(before)
  })

  it('can’t be removed by TRUNCATE', async () => {
    await expect(payments.sql('TRUNCATE payments CASCADE')).rejects.toThrow(/is not allowed/)
  })
})

describe('the schema', () => {
  it.each([
    `UPDATE payment_events SET to_status = 'SUCCESS'`,
    'DELETE FROM payment_events',
    'TRUNCATE payment_events',
    `UPDATE provider_messages SET body = 'x'`,
    `UPDATE provider_messages SET body_hash = 'x'`,
    `UPDATE provider_messages SET headers = '{"webhook-id": "x"}'`,
    `UPDATE provider_messages SET reading = '{}'`,
    `UPDATE provider_messages SET outcome = 'superseded'`,
    `UPDATE provider_messages SET webhook_id = 'x'`,
    `UPDATE provider_messages SET source = 'provider:x'`,
    `UPDATE provider_messages SET verdict = 'signed', key_id = 'x'`,
    `UPDATE provider_messages SET occurred_at = NULL`,
    `UPDATE provider_messages SET received_at = now(), times = 2`,
    'DELETE FROM provider_messages',
    'TRUNCATE provider_messages',
  ])('rejects %s', async (statement) => {
    const reference = await newPayment(user)
    await user.webhook(webhookBody(reference, 'PENDING'))
    await expect(payments.sql(statement)).rejects.toThrow(/is not allowed/)
  })

  it('lets only the count of a message change, also when a column is added later', async () => {
    const reference = await newPayment(user)
    const { webhookId, ...rest } = webhookBody(reference, 'PENDING')
    await user.webhook({ webhookId, ...rest })
    const change = (set: string) =>
      payments.sql(`UPDATE provider_messages SET ${set} WHERE webhook_id = $1`, webhookId)
    await change('times = times + 1, last_at = now(), last_operation_id = gen_random_uuid()')
    await payments.sql('ALTER TABLE provider_messages ADD COLUMN later text')
    await expect(change(`later = 'x'`)).rejects.toMatchObject({
      constraint: 'provider_messages_immutable',
    })
    await change('times = times + 1')
    await payments.sql('ALTER TABLE provider_messages DROP COLUMN later')
    const stored = 'SELECT times FROM provider_messages WHERE webhook_id = $1'
    expect(await payments.sql(stored, webhookId)).toEqual([{ times: 3 }])
  })

  it.each([
    ['amount_minor', 0, 'payments_amount_minor_check'],
    ['amount_minor', -5, 'payments_amount_minor_check'],
    ['currency', 'ugx', 'payments_currency_check'],
    ['payment_method', 'CASH', 'payments_payment_method_check'],
    ['customer_phone', '0772123456', 'payments_customer_phone_check'],
    ['customer_email', 'Amina@example.com', 'payments_customer_email_check'],
    ['customer_email', 'a\u2003b@example.com', 'payments_customer_email_check'],
    ['customer_email', 'nin\u0303o@example.com', 'payments_customer_email_check'],
    ['status', 'DONE', 'payments_status_check'],
  ])('rejects %s = %s', async (column, value, constraint) => {
    const reference = await newPayment(user)
    const change = `UPDATE payments SET ${column} = $2 WHERE reference = $1`
    await expect(payments.sql(change, reference, value)).rejects.toMatchObject({ constraint })
  })

  it('has the columns of the entities', async () => {
    const env = readEnv(environment({ DATABASE_URL: payments.databaseUrl }))
    const source = await new DataSource(dataSourceOptions(env, dataSource)).initialize()
    const expected = source.entityMetadatas.flatMap(({ tableName, columns }) =>
      columns.map(({ databaseName, type, isNullable }) => ({
        table: tableName,
        column: databaseName,
        type: source.driver.normalizeType({ type }),
        nullable: isNullable,
      })),
    )
    await source.destroy()
    const actual = await payments.sql<object>(
      `SELECT table_name AS table, column_name AS column, data_type AS type,
              is_nullable = 'YES' AS nullable
         FROM information_schema.columns WHERE table_schema = 'public'`,
    )
    expect(actual).toEqual(expect.arrayContaining(expected))
  })
})

describe('idempotency keys', () => {
  it('are deleted after two days, not before one', async () => {
    const key = v7()
    const first = await user.create({}, { 'idempotency-key': key })
    const app = await listening({ DATABASE_URL: payments.databaseUrl })
    const sweeper = app.get(KeySweeper)
    const day = 86_400_000
    expect(await sweeper.sweep(Date.now() + day)).toBe(0)
    const again = await user.create({}, { 'idempotency-key': key })
    expect(again.body.id).toBe(first.body.id)
    expect(await sweeper.sweep(Date.now() + 2 * day + 1000)).toBe(1)
    const later = await user.create({}, { 'idempotency-key': key })
    expect(later.status).toBe(201)
    expect(later.body.id).not.toBe(first.body.id)
    await app.close()
  })

  it('are deleted in batches until none is expired', async () => {
    await payments.sql(
      `INSERT INTO idempotency_keys (caller, route, key, fingerprint, operation_id, response_status,
                                     resource_type, resource_id, resource_version, created_at)
       SELECT gen_random_uuid(), 'r', n::text, '', gen_random_uuid(), 201, 'payment',
              gen_random_uuid(), 1, now() - interval '3 days'
         FROM generate_series(1, 2500) AS n`,
    )
    const app = await listening({ DATABASE_URL: payments.databaseUrl })
    await until(async () => {
      const expired = `SELECT FROM idempotency_keys WHERE created_at < now() - interval '2 days'`
      return (await payments.sql(expired)).length === 0
    })
    await app.close()
  })
})

import { readFile } from 'node:fs/promises'
import { dataSourceOptions } from '@malipo/kit/postgres/connection'
import { freshDatabase, query } from '@malipo/testing/database'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { newUser } from './auth.js'
import { environment, migrate, type Payments, startPayments } from './payments.js'
import { as, type As, fromProvider, news } from './requests.js'

/** A database of the last release, with what that release wrote, after this release's migrations. */

/** The migrations that were in 0.1.0: never changed again, for they have run. */
const LAST_RELEASE = ['Payments1764000000000']

const reference = (n: number) => `PAY-019aa0a0-0000-7000-8000-00000000000${n}`

let payments: Payments
let user: As
beforeAll(async () => {
  const owner = await newUser()
  const DATABASE_URL = await freshDatabase('payments')
  const env = readEnv(environment({ DATABASE_URL }))
  const migrations = dataSource.migrations.filter(({ name }) => LAST_RELEASE.includes(name))
  const source = new DataSource(dataSourceOptions(env, { ...dataSource, migrations }))
  await (await source.initialize()).runMigrations({ transaction: 'each' })
  await source.destroy()
  const written = await readFile(new URL('releases/0.1.0.sql', import.meta.url), 'utf8')
  await query(DATABASE_URL, written.replaceAll(':owner', owner.id))
  await migrate(DATABASE_URL)
  payments = await startPayments({ DATABASE_URL })
  user = as(owner, payments)
})
afterAll(() => payments.close())

it('shows every payment as it was', async () => {
  const { body } = await user.list()
  const seen = body.data.map((payment: { [field: string]: unknown }) => [
    payment.reference,
    payment.status,
    payment.amount,
    payment.version,
  ])
  expect(seen).toEqual([
    [reference(4), 'FAILED', '1000000000000', 3],
    [reference(3), 'SUCCESS', '1', 3],
    [reference(2), 'PENDING', '1234.56', 2],
    [reference(1), 'INITIATED', '5000', 1],
  ])
})

it('tells every change of it', async () => {
  const { body } = await user.events(reference(3))
  expect(body.data).toMatchObject([
    { from: null, to: 'INITIATED', cause: 'create' },
    { from: 'INITIATED', to: 'PENDING', cause: 'status' },
    { from: 'PENDING', to: 'SUCCESS', cause: 'webhook', actor: 'mtn', webhookId: 'evt-1' },
  ])
})

it('remembers its idempotency keys, of a 2xx and of a refusal', async () => {
  const created = await user.get(reference(1))
  const again = await user.create(
    { description: 'School fees', metadata: { order: '17' } },
    { 'idempotency-key': 'order-17' },
  )
  expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true'])
  expect(again.body).toEqual(created.body)
  const refused = await user.move(reference(1), 'SUCCESS', { 'idempotency-key': 'too-early' })
  expect([refused.status, refused.headers.get('idempotent-replayed')]).toEqual([400, 'true'])
})

it('remembers its webhooks, and goes on from where it was', async () => {
  const repeat = news(reference(3), 'SUCCESS', { webhookId: 'evt-1' })
  expect((await fromProvider(payments, repeat)).body.version).toBe(3)
  expect((await user.move(reference(2), 'SUCCESS')).body).toMatchObject({
    status: 'SUCCESS',
    version: 3,
  })
  expect((await user.move(reference(4), 'SUCCESS')).status).toBe(400)
})

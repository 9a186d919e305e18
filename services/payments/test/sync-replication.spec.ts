import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Postgres, startPostgres } from '@malipo/local/postgres'
import { query } from '@malipo/testing/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { migrate, type Payments, startPayments } from './payments.js'
import { as, type As, newPayment, webhookBody } from './requests.js'
import { until } from '@malipo/testing/until'

/** PostgreSQL with synchronous replication and no standby, so that commits wait. */

let folder: string
let postgres: Postgres
let payments: Payments
let user: As

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'malipo-sync-'))
  postgres = await startPostgres({ dataDir: join(folder, 'db'), databases: ['payments'] })
  const DATABASE_URL = postgres.url('payments')
  await migrate(DATABASE_URL)
  payments = await startPayments({ DATABASE_URL, DB_WAIT_MS: '1500', DB_POOL_MAX: '20' })
  user = as(await newUser(), payments)
})
afterAll(async () => {
  await standby('')
  await payments.close()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Sets the standby for which commits wait. With '', commits don't wait, and those that wait complete. */
async function standby(name: string) {
  const url = postgres.url('postgres')
  await query(url, `ALTER SYSTEM SET synchronous_standby_names = '${name}'`)
  await query(url, 'SELECT pg_reload_conf()')
  await until(async () => {
    const [row] = await query<{ s: string }>(
      url,
      `SELECT current_setting('synchronous_standby_names') AS s`,
    )
    return row?.s === name && (name !== '' || (await waiting()).length === 0)
  })
}

/** The backends whose commits are waiting for the standby. */
const waiting = () =>
  query<{ pid: number; query: string }>(
    postgres.url('postgres'),
    `SELECT pid, query FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
  )

/** Cancels the wait, as an operator or a crash could: the commit becomes visible, but no standby has it. */
async function cancelWaiting() {
  await until(async () => (await waiting()).length > 0)
  for (const { pid } of await waiting()) {
    await query(postgres.url('postgres'), 'SELECT pg_cancel_backend($1)', [pid])
  }
}

describe('a write whose wait for the standby was cancelled', () => {
  it.each<[string, (key: Record<string, string>, reference: string) => ReturnType<As['create']>]>([
    ['a create', (key) => user.create({ metadata: { mark: key['idempotency-key'] } }, key)],
    ['a transition', (key, reference) => user.move(reference, 'PENDING', key)],
  ])(
    '%s: 503, and the first response for the same key once the standby is back',
    async (_, send) => {
      const reference = await newPayment(user)
      const key = { 'idempotency-key': randomUUID() }
      await standby('absent_standby')
      const answer = send(key, reference)
      await cancelWaiting()
      expect((await answer).status).toBe(503)
      expect((await answer).headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      const seen = await payments.sql<{ status: number }>(
        'SELECT response_status AS status FROM idempotency_keys WHERE key = $1',
        key['idempotency-key'],
      )
      // The commit is visible, but its response must not be replayed before a standby has received it.
      expect(seen).toHaveLength(1)
      expect((await send(key, reference)).status).toBe(503)
      await standby('')
      const again = await send(key, reference)
      expect(again.status).toBe(seen[0]?.status)
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect((await user.events(again.body.reference as string)).body.data).toHaveLength(
        again.body.version as number,
      )
    },
  )

  it('a webhook: 503, and applied once when it is sent again', async () => {
    const reference = await newPayment(user)
    const body = webhookBody(reference, 'PENDING')
    await standby('absent_standby')
    const answer = user.webhook(body)
    await cancelWaiting()
    expect((await answer).status).toBe(503)
    expect((await user.webhook(body)).status).toBe(503)
    await standby('')
    expect(await user.webhook(body)).toMatchObject({ status: 200, body: { version: 2 } })
    expect((await user.events(reference)).body.data).toHaveLength(2)
  })

  it('a create whose wait is not cancelled: 503 after DB_WAIT_MS, and applied once', async () => {
    const metadata = { mark: randomUUID() }
    const key = { 'idempotency-key': randomUUID() }
    await standby('absent_standby')
    const startedAt = Date.now()
    expect((await user.create({ metadata }, key)).status).toBe(503)
    expect(Date.now() - startedAt).toBeLessThan(8_000)
    await standby('')
    const again = await user.create({ metadata }, key)
    expect(again.status).toBe(201)
    const rows = await payments.sql('SELECT id FROM payments WHERE metadata = $1', metadata)
    expect(rows).toEqual([{ id: again.body.id }])
  })

  it('the feed returns no event that no standby has: 503, and the event once the standby is back', async () => {
    const merchant = await newUser()
    const read = (cursor = '') =>
      payments.client.get(`/api/events${cursor}`, { token: merchant.token })
    const reference = await newPayment(as(merchant, payments))
    const cursor = `?cursor=${(await read()).body.nextCursor}`
    await standby('absent_standby')
    // An empty page has no event that could be lost.
    expect((await read(cursor)).status).toBe(200)
    const answer = as(merchant, payments).move(reference, 'PENDING')
    await cancelWaiting()
    expect((await answer).status).toBe(503)
    expect((await read(cursor)).status).toBe(503)
    await standby('')
    const { status, body } = await read(cursor)
    expect(status).toBe(200)
    expect(body.data).toMatchObject([{ type: 'payment.pending', data: { reference } }])
  })

  it('reads continue', async () => {
    const reference = await newPayment(user)
    await standby('absent_standby')
    expect((await user.get(reference)).status).toBe(200)
    expect((await user.list()).status).toBe(200)
    await standby('')
  })
})

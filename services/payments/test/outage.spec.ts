import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@malipo/local/free-port'
import { type Postgres, startPostgres } from '@malipo/local/postgres'
import { Client } from '@malipo/testing/client'
import type { Answer } from '@malipo/testing/conformity'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { listening, migrate, type Payments, startPayments, untilReady } from './payments.js'
import { as, type As, newPayment, webhookBody } from './requests.js'
import { until } from '@malipo/testing/until'

/** This file has its own PostgreSQL, which it stops and starts. */

let folder: string
let postgres: Postgres
let payments: Payments
let user: As

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'malipo-outage-'))
  postgres = await startPostgres({ dataDir: join(folder, 'db'), databases: ['payments'] })
  await migrate(postgres.url('payments'))
  payments = await startPayments({ DATABASE_URL: postgres.url('payments') })
  user = as(await newUser(), payments)
})
afterAll(async () => {
  await payments.close()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Creates, transitions and reads payments until `stop` is aborted. */
async function customer(answers: Answer[], stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const key = { 'idempotency-key': randomUUID() }
    const made = await user.create({}, Math.random() < 0.5 ? key : {})
    answers.push(made)
    const reference = made.body.reference as string
    answers.push(await user.move(reference, 'PENDING'))
    answers.push(await user.webhook(webhookBody(reference, 'SUCCESS')))
    answers.push(
      await user.get(reference),
      await user.list('?limit=3'),
      await user.events(reference),
    )
  }
}

describe('PostgreSQL restarted under load', () => {
  it.each<[string, (server: Postgres) => Promise<void>]>([
    ['by a fast shutdown', (server) => server.restart()],
    ['by a crash', (server) => server.kill().then(() => server.restart())],
  ])('%s: no request fails within DB_WAIT_MS', async (_, restart) => {
    const stop = new AbortController()
    const answers: Answer[] = []
    const more = async (count: number) => {
      const enough = answers.length + count
      await until(() => answers.length >= enough)
    }
    const customers = Array.from({ length: 8 }, () => customer(answers, stop.signal))
    await more(50)
    await restart(postgres)
    await more(100)
    stop.abort()
    await Promise.all(customers)
    const statuses = new Set(answers.map(({ status }) => status))
    expect([...statuses].sort((a, b) => a - b)).toEqual([200, 201])
    const uneven = await payments.sql(
      `SELECT id FROM payments
        WHERE version <> (SELECT count(*) FROM payment_events WHERE payment_id = payments.id)`,
    )
    expect(uneven).toEqual([])
  })
})

describe('PostgreSQL down for longer than DB_WAIT_MS', () => {
  it('responds 503 with Retry-After on every route in time, and recovers with it', async () => {
    const replica = await payments.replica({ DB_WAIT_MS: '700' })
    const { token } = await newUser()
    const owner = as({ token }, replica)
    const reference = await newPayment(owner)
    await postgres.stop()
    const startedAt = Date.now()
    const answers = await Promise.all([
      owner.create(),
      owner.create({}, { 'idempotency-key': randomUUID() }),
      owner.get(reference),
      owner.list(),
      owner.events(reference),
      owner.move(reference, 'PENDING'),
      owner.webhook(webhookBody(reference, 'PENDING')),
    ])
    expect(Date.now() - startedAt).toBeLessThan(6_000)
    for (const { status, body, headers } of answers) {
      expect(status).toBe(503)
      expect(body.type).toBe('/problems/unavailable')
      expect(JSON.stringify(body)).not.toMatch(/ECONN|127\.0\.0\.1|terminat/)
      expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    }
    // Readiness reuses the result of a database ping for a second.
    const ready = () => replica.client.get('/health/ready')
    await until(async () => (await ready()).body.status === 'degraded')
    expect((await ready()).status).toBe(200)
    await postgres.restart()
    expect((await owner.get(reference)).body).toMatchObject({ status: 'INITIATED', version: 1 })
    expect((await owner.move(reference, 'PENDING')).status).toBe(200)
    await replica.close()
  })
})

describe('PostgreSQL that is down when the service starts', () => {
  it('leaves the service alive and not ready, with 503 for requests, until it is up', async () => {
    const port = await freePort()
    const url = new URL(postgres.url('late'))
    url.port = String(port)
    const app = await listening({ DATABASE_URL: url.href, DB_WAIT_MS: '300' })
    const client = new Client(await app.getUrl())
    const early = as(await newUser(), { client })
    expect((await client.get('/health/live')).status).toBe(200)
    const detail = 'Waiting for the database (unreachable).'
    await until(async () => (await client.get('/health/ready')).body.detail === detail)
    expect((await client.get('/health/ready')).status).toBe(503)
    expect((await early.create()).status).toBe(503)
    await postgres.stop()
    const late = await startPostgres({
      dataDir: join(folder, 'db'),
      databases: ['late'],
      port,
    })
    await migrate(url.href)
    await untilReady(client)
    expect((await early.create()).status).toBe(201)
    await app.close()
    await late.stop()
    await postgres.restart()
  })
})

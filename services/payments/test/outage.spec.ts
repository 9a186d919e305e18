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
import { as, type As, newPayment, news } from './requests.js'
import { until } from './until.js'

/** A PostgreSQL of this file alone, which it stops and starts. */

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

/** One customer: makes payments, moves and reads them, over and over. */
async function customer(answers: Answer[], over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const key = { 'idempotency-key': randomUUID() }
    const made = await user.create({}, Math.random() < 0.5 ? key : {})
    answers.push(made)
    const reference = made.body.reference as string
    answers.push(await user.move(reference, 'PENDING'))
    answers.push(await user.webhook(news(reference, 'SUCCESS')))
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
    const over = new AbortController()
    const answers: Answer[] = []
    const more = async (count: number) => {
      const enough = answers.length + count
      await until(() => answers.length >= enough)
    }
    const customers = Array.from({ length: 8 }, () => customer(answers, over.signal))
    await more(50)
    await restart(postgres)
    await more(100)
    over.abort()
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

describe('PostgreSQL away for longer than DB_WAIT_MS', () => {
  it('is 503 with Retry-After on every route, soon after, and over when it is back', async () => {
    const hasty = await payments.replica({ DB_WAIT_MS: '700' })
    const { token } = await newUser()
    const hurried = as({ token }, hasty)
    const reference = await newPayment(hurried)
    await postgres.stop()
    const begin = Date.now()
    const answers = await Promise.all([
      hurried.create(),
      hurried.create({}, { 'idempotency-key': randomUUID() }),
      hurried.get(reference),
      hurried.list(),
      hurried.events(reference),
      hurried.move(reference, 'PENDING'),
      hurried.webhook(news(reference, 'PENDING')),
    ])
    expect(Date.now() - begin).toBeLessThan(6_000)
    for (const { status, body, headers } of answers) {
      expect(status).toBe(503)
      expect(body.type).toBe('/problems/unavailable')
      expect(JSON.stringify(body)).not.toMatch(/ECONN|127\.0\.0\.1|terminat/)
      expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    }
    // A look at the database serves the probes of a second.
    const ready = () => hasty.client.get('/health/ready')
    await until(async () => (await ready()).body.status === 'degraded')
    expect((await ready()).status).toBe(200)
    await postgres.restart()
    expect((await hurried.get(reference)).body).toMatchObject({ status: 'INITIATED', version: 1 })
    expect((await hurried.move(reference, 'PENDING')).status).toBe(200)
    await hasty.close()
  })
})

describe('a PostgreSQL that is not there at the start', () => {
  it('is waited for: alive and not ready, requests 503; ready once it is there', async () => {
    const port = await freePort()
    const url = new URL(postgres.url('late'))
    url.port = String(port)
    const app = await listening({ DATABASE_URL: url.href, DB_WAIT_MS: '300' })
    const client = new Client(await app.getUrl())
    const early = as(await newUser(), { client })
    expect((await client.get('/health/live')).status).toBe(200)
    const ready = await client.get('/health/ready')
    expect(ready).toMatchObject({ status: 503, body: { detail: 'Waiting for the database.' } })
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

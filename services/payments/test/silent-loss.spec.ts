import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, type As, newPayment } from './requests.js'
import { until } from '@malipo/testing/until'

/** Connections to PostgreSQL that stop working without being closed. */

let direct: Payments
let url: string
let proxy: Proxy
let owner: User

beforeAll(async () => {
  direct = await startPayments()
  const through = new URL(direct.databaseUrl)
  proxy = await startProxy(Number(through.port))
  through.port = String(proxy.port)
  url = through.href
  owner = await newUser()
})
afterAll(async () => {
  await direct.close()
  await proxy.close()
})

async function withReplica(
  own: Record<string, string>,
  work: (replica: Payments) => Promise<void>,
) {
  const replica = await startPayments({ ...own, DATABASE_URL: url })
  try {
    await work(replica)
  } finally {
    proxy.lose(false)
    await replica.close()
  }
}

/** Opens several connections: batching shares one among concurrent calls of one statement only. */
async function fillPool(user: As) {
  const reference = await newPayment(user)
  const requests = [
    () => user.get(reference),
    () => user.list(),
    () => user.events(reference),
    () => user.create(),
  ]
  await Promise.all(Array.from({ length: 6 }, () => requests.map((request) => request())).flat())
}

it('a request succeeds on a new connection when all idle ones have died silently', async () => {
  await withReplica({ DB_BATCH_MAX: '1' }, async (replica) => {
    const user = as(owner, replica)
    await fillPool(user)
    expect(await replica.metric('db_pool_connections{state="idle"}')).toBeGreaterThan(3)
    proxy.lose(false)
    const begunAt = performance.now()
    const { status } = await user.create()
    // The first statement is given up after 6 s. A second dead connection would take as long again.
    expect([status, performance.now() - begunAt < 11_000]).toEqual([201, true])
    const laterAt = performance.now()
    expect((await user.create()).status).toBe(201)
    expect(performance.now() - laterAt).toBeLessThan(3_000)
  })
})

describe('while nothing arrives', () => {
  const DB_WAIT_MS = 2_000

  it('every route answers 503 before its deadline and 500 ms have passed', async () => {
    await withReplica({ DB_WAIT_MS: String(DB_WAIT_MS) }, async (replica) => {
      const user = as(owner, replica)
      const reference = await newPayment(user)
      const key = { 'idempotency-key': randomUUID() }
      expect((await user.create({}, key)).status).toBe(201)
      const requests = [
        () => user.create(),
        () => user.create({}, key),
        () => user.get(reference),
        () => user.list(),
        () => user.events(reference),
        () => user.move(reference, 'PENDING'),
      ]
      proxy.lose(true)
      // The first round finds idle connections, the second one waits for new ones.
      for (const _ of ['idle connections', 'new connections']) {
        const answers = requests.map(async (request) => {
          const begunAt = performance.now()
          const { status, headers } = await request()
          expect([status, headers.get('retry-after')]).toEqual([503, '2'])
          return performance.now() - begunAt
        })
        expect(Math.max(...(await Promise.all(answers)))).toBeLessThan(DB_WAIT_MS + 500)
      }
      proxy.lose(false)
      const restoredAt = performance.now()
      await until(async () => (await user.get(reference)).status === 200)
      // An attempt whose packets were lost takes 3 s to fail, and must not hold back the next one.
      expect(performance.now() - restoredAt).toBeLessThan(3_000)
    })
  })
})

it('opens connections over a network with a round trip of 1 s', async () => {
  proxy.slow(1_000)
  try {
    await withReplica({}, async (replica) => {
      expect((await as(owner, replica).create()).status).toBe(201)
    })
  } finally {
    proxy.slow(0)
  }
}, 60_000)

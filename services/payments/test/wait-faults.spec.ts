import { setTimeout as sleep } from 'node:timers/promises'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '@malipo/local/free-port'
import { newUser } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, newPayment } from './requests.js'
import { untilWaiting, waitingRead as read } from './waiting-reads.js'
import { withPayments } from './with-payments.js'

/** Clients that disconnect, a replica that drains and a database that fails while requests wait. */

const { payments, owner, user } = await withPayments()

describe('a client that disconnects', () => {
  it('no longer waits: 200 leave neither a request nor a place behind', async () => {
    const reference = await newPayment(user)
    for (const round of [1, 2]) {
      const clients = Array.from({ length: 100 }, () => new AbortController())
      const waiting = clients.map(({ signal }) =>
        read(payments, owner, reference, { wait: 30, signal }).catch(() => 'disconnected'),
      )
      await untilWaiting(payments, 100)
      for (const client of clients) client.abort()
      expect(new Set(await Promise.all(waiting)), `round ${round}`).toEqual(
        new Set(['disconnected']),
      )
      await untilWaiting(payments, 0)
    }
  })

  it('no longer waits if it disconnects during the first read', async () => {
    const reference = await newPayment(user)
    for (const ms of [0, 1, 2, 3, 4, 6, 8]) {
      const client = new AbortController()
      const { signal } = client
      const waiting = Array.from({ length: 20 }, () =>
        read(payments, owner, reference, { wait: 30, signal }).catch(() => undefined),
      )
      await sleep(ms)
      client.abort()
      await Promise.all(waiting)
    }
    await until(async () => (await payments.metric('payment_waiters')) === 0)
    expect((await user.get(reference)).status).toBe(200)
  })
})

describe('a replica that drains', () => {
  it('answers the requests that wait at once with the payment as it is', async () => {
    const replica = await payments.replica({ SHUTDOWN_DRAIN_MS: '1000' })
    const reference = await newPayment(user, 'PENDING')
    const headers = { 'if-none-match': '"2"' }
    const waiting = [
      read(replica, owner, reference, { wait: 30 }),
      read(replica, owner, reference, { wait: 30, headers }),
    ]
    await untilWaiting(replica, 2)
    const startedAt = performance.now()
    const closed = replica.close()
    const [open, unchanged] = await Promise.all(waiting)
    expect([open?.status, open?.body.status]).toEqual([200, 'PENDING'])
    expect([unchanged?.status, unchanged?.headers.get('connection')]).toEqual([304, 'close'])
    // While it drains, further requests do not wait either.
    expect((await read(replica, owner, reference, { wait: 30, headers })).status).toBe(304)
    await closed
    expect(performance.now() - startedAt).toBeLessThan(20_000)
  })
})

describe('a database that fails while requests wait', () => {
  const DB_WAIT_MS = 1_500
  let proxy: Proxy
  let replica: Payments
  let deadPort: number
  let port: number

  beforeAll(async () => {
    const url = new URL(payments.databaseUrl)
    port = Number(url.port)
    deadPort = await freePort()
    proxy = await startProxy(port)
    url.port = String(proxy.port)
    replica = await startPayments({ DATABASE_URL: url.href, DB_WAIT_MS: String(DB_WAIT_MS) })
  })
  afterAll(async () => {
    await replica.close()
    await proxy.close()
  })

  const fail = () => {
    proxy.retarget(deadPort)
    proxy.cut()
  }
  const repair = () => proxy.retarget(port)

  it('and works again: they wait on, and see what has changed', async () => {
    const account = await newUser()
    const reference = await newPayment(as(account, replica))
    const waiting = read(replica, account, reference, {
      wait: 25,
      headers: { 'if-none-match': '"1"' },
    })
    await untilWaiting(replica, 1)
    fail()
    await sleep(3_000)
    expect(await replica.metric('payment_waiters')).toBe(1)
    await as(account, payments).move(reference, 'PENDING')
    repair()
    const { status, body } = await waiting
    expect([status, body.status]).toEqual([200, 'PENDING'])
  })

  it('and stays down: each gets 503 by its deadline after the wait', async () => {
    const account = await newUser()
    const reference = await newPayment(as(account, replica))
    const startedAt = performance.now()
    const waiting = read(replica, account, reference, { wait: 3 })
    await untilWaiting(replica, 1)
    fail()
    const { status, body, headers } = await waiting
    const tookMs = performance.now() - startedAt
    repair()
    expect([status, body.type, headers.get('retry-after')]).toEqual([
      503,
      '/problems/unavailable',
      '2',
    ])
    expect(tookMs).toBeGreaterThan(3_000 + DB_WAIT_MS / 2)
    expect(tookMs).toBeLessThan(3_000 + DB_WAIT_MS + 500)
  })
})

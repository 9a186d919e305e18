import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RequestOptions } from '@malipo/testing/client'
import { freshDatabase } from '@malipo/testing/database'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { holdWrites, lockRow, untilBlocked } from './locks.js'
import { migrate, type Payments, startPayments } from './payments.js'
import { as, fromProvider, newPayment, paymentInput, signed, webhookBody } from './requests.js'
import { until } from '@malipo/testing/until'

/** Concurrent requests share a batched statement, but each must get the response that it would get alone. */

let proxy: Proxy
/** Two replicas for the same user: `payments` connects through the proxy, `other` directly. */
let payments: Payments
let other: Payments
let owner: User
let user: ReturnType<typeof as>
let beside: ReturnType<typeof as>

beforeAll(async () => {
  const databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  const url = new URL(databaseUrl)
  proxy = await startProxy(Number(url.port), (data) => data.includes(CUT))
  url.port = String(proxy.port)
  payments = await startPayments({ DATABASE_URL: url.href })
  other = await startPayments({ DATABASE_URL: databaseUrl })
  owner = await newUser()
  user = as(owner, payments)
  beside = as(owner, other)
  await other.sql(POISON)
  await other.sql(`CREATE TRIGGER poison BEFORE INSERT ON payments
    FOR EACH ROW WHEN (NEW.description = 'poison') EXECUTE FUNCTION refuse_poison()`)
})
afterAll(async () => {
  await Promise.all([payments.close(), other.close()])
  await proxy.close()
})

/** The proxy can lose the result of a statement that contains this email address. */
const CUT = 'cut@example.com'

const POISON = `CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END $$`

/** Sends a request that the trigger rejects. It gets 500, which the contract does not document. */
function poison() {
  const options = { body: paymentInput({ description: 'poison' }), token: owner.token }
  return payments.client.sendUnchecked('POST', '/api/payments', options)
}

/** Blocks as many inserts as may be in flight, so that further statements are queued. */
async function blockBatches() {
  const unblock = await holdWrites(other.databaseUrl)
  const inFlight = [user.create()]
  await untilBlocked(payments, 1)
  inFlight.push(user.create())
  await untilBlocked(payments, 2)
  return async () => {
    await unblock()
    expect(statuses(await Promise.all(inFlight))).toEqual([201, 201])
  }
}

/** Waits until the event loop is idle. All requests are then queued: the replica runs in this process. */
async function allQueued() {
  await until(async () => {
    const before = performance.eventLoopUtilization()
    await sleep(200)
    return performance.eventLoopUtilization(before).utilization <= 0.2
  })
}

/** Starts requests while statements are blocked, so that they share batches; returns the responses. */
async function queuedTogether<T>(start: () => readonly Promise<T>[]): Promise<T[]> {
  const unblock = await blockBatches()
  const started = start()
  await allQueued()
  await unblock()
  return Promise.all(started)
}

const times = <T>(count: number, start: (n: number) => T) =>
  Array.from({ length: count }, (_, n) => start(n))

const statuses = (answers: { status: number }[]) => answers.map(({ status }) => status)

/** For each transaction, the number of payments with this description that it created. */
async function perTransaction(mark: string): Promise<number[]> {
  const rows = await other.sql<{ n: number }>(
    `SELECT count(*)::int AS n FROM payments WHERE description = $1 GROUP BY xmin`,
    mark,
  )
  return rows.map(({ n }) => n)
}

describe('batched creates', () => {
  it('share a transaction, and each returns its own payment', async () => {
    const mark = randomUUID()
    const answers = await queuedTogether(() =>
      times(40, (n) => user.create({ amount: 1_000 + n, description: mark })),
    )
    expect(answers.map(({ body }) => body.amount)).toEqual(times(40, (n) => String(1_000 + n)))
    const batchSizes = await perTransaction(mark)
    expect(batchSizes.reduce((sum, n) => sum + n)).toBe(40)
    expect(Math.max(...batchSizes)).toBeGreaterThan(10)
  })

  it('succeed although the database rejects one of the batch', async () => {
    const mark = randomUUID()
    const answers = await queuedTogether(() =>
      times(20, (n) =>
        n === 11
          ? poison()
          : user.create({ description: mark }, { 'idempotency-key': `${mark} ${n}` }),
      ),
    )
    expect(statuses(answers)).toEqual(times(20, (n) => (n === 11 ? 500 : 201)))
    expect((await perTransaction(mark)).reduce((sum, n) => sum + n)).toBe(19)
    const [row] = await other.sql<{ keys: number; events: number }>(
      `SELECT (SELECT count(*)::int FROM idempotency_keys WHERE key LIKE $1 || ' %') AS keys,
              (SELECT count(*)::int FROM payment_events JOIN payments ON payments.id = payment_id
                WHERE description = $1) AS events`,
      mark,
    )
    expect(row).toEqual({ keys: 19, events: 19 })
  })

  it('with one key create one payment, and reject another body with 422', async () => {
    const key = { 'idempotency-key': randomUUID() }
    const mark = randomUUID()
    const answers = await queuedTogether(() =>
      times(12, (n) => user.create({ description: n === 6 ? 'another' : mark }, key)),
    )
    expect((await perTransaction(mark)).concat(await perTransaction('another'))).toEqual([1])
    const made = answers.filter(({ status }) => status === 201)
    expect(new Set(made.map(({ body }) => body.id)).size).toBe(1)
    const first = made.filter(({ headers }) => headers.get('idempotent-replayed') === null)
    expect(first).toHaveLength(1)
    for (const status of statuses(answers)) expect([201, 409, 422]).toContain(status)
    expect((await user.create({ description: 'a third' }, key)).status).toBe(422)
  })

  it('whose result is lost create one payment each, and each caller gets its own', async () => {
    const mark = randomUUID()
    proxy.loseNextAnswer()
    const answers = await queuedTogether(() =>
      times(30, (n) =>
        user.create(
          { amount: 2_000 + n, description: mark, customerEmail: n === 20 ? CUT : 'a@example.com' },
          n % 2 === 0 ? { 'idempotency-key': `${mark} ${n}` } : {},
        ),
      ),
    )
    expect(statuses(answers)).toEqual(times(30, () => 201))
    expect(answers.map(({ body }) => body.amount)).toEqual(times(30, (n) => String(2_000 + n)))
    for (const { headers } of answers) expect(headers.get('idempotent-replayed')).toBeNull()
    const batchSizes = await perTransaction(mark)
    expect(batchSizes.reduce((sum, n) => sum + n)).toBe(30)
    expect(Math.max(...batchSizes)).toBeGreaterThan(10)
  })
})

describe('batched writes whose client disconnects while they are queued', () => {
  const MANY = 10

  /** Sends requests, waits until they are queued, and disconnects their clients. */
  async function disconnect(path: string, requests: readonly RequestOptions[]) {
    const connection = new AbortController()
    const { signal } = connection
    const sent = requests.map((options) =>
      payments.client.sendUnchecked('POST', path, { ...options, signal }),
    )
    const disconnected = `http_request_duration_seconds_count{method="POST",route="${path}",status_code="499"}`
    const before = await payments.metric(disconnected)
    await allQueued()
    connection.abort()
    for (const { status } of await Promise.allSettled(sent)) expect(status).toBe('rejected')
    await until(async () => (await payments.metric(disconnected)) === before + requests.length)
  }

  it('create no payment', async () => {
    const mark = randomUUID()
    const unblock = await blockBatches()
    const request = { body: paymentInput({ description: mark }), token: owner.token }
    await disconnect(
      '/api/payments',
      times(MANY, () => request),
    )
    await unblock()
    expect((await user.create()).status).toBe(201)
    expect(await perTransaction(mark)).toEqual([])
  })

  it('still apply the webhooks of a provider', async () => {
    const references = await Promise.all(times(MANY, () => newPayment(user)))
    const sent = references.map((reference) => signed(webhookBody(reference, 'PENDING')))
    const unblock = await holdWrites(other.databaseUrl)
    await disconnect(
      '/api/payments/webhook/provider',
      sent.map(({ text, headers }) => ({ body: text, headers })),
    )
    await unblock()
    await until(async () => {
      const answers = await Promise.all(references.map((reference) => user.get(reference)))
      return answers.every(({ body }) => body.status === 'PENDING')
    })
  })
})

describe('batched transitions', () => {
  it('of one payment succeed once', async () => {
    const reference = await newPayment(user, 'PENDING')
    const release = await lockRow(payments, reference)
    const responses = times(20, (n) => user.move(reference, n % 2 === 0 ? 'SUCCESS' : 'FAILED'))
    await untilBlocked(payments, 2)
    await release()
    const answers = statuses(await Promise.all(responses))
    expect(answers.filter((status) => status === 200)).toHaveLength(1)
    expect(answers.filter((status) => status === 400)).toHaveLength(19)
  })

  it('wait at most a second for a payment that another transaction has locked', async () => {
    // Two payments, because the second of two transitions of the same payment would be rejected.
    const [locked, alsoLocked] = [await newPayment(user), await newPayment(user)]
    const references = await Promise.all(times(20, () => newPayment(user)))
    const releases = [await lockRow(payments, locked), await lockRow(payments, alsoLocked)]
    const first = user.move(locked, 'PENDING')
    await untilBlocked(payments, 1)
    const startedAt = Date.now()
    const second = user.webhook(webhookBody(alsoLocked, 'PENDING'))
    const answers = await Promise.all([
      ...references.slice(0, 10).map((reference) => user.move(reference, 'PENDING')),
      ...references.slice(10).map((reference) => user.webhook(webhookBody(reference, 'PENDING'))),
    ])
    expect(new Set(statuses(answers))).toEqual(new Set([200]))
    expect(Date.now() - startedAt).toBeLessThan(3_000)
    for (const release of releases) await release()
    expect(statuses(await Promise.all([first, second]))).toEqual([200, 200])
  })

  it('of two replicas, in opposite orders, do not deadlock', async () => {
    const references = await Promise.all(times(60, () => newPayment(user)))
    const both = await Promise.all([
      ...references.map((reference) => user.move(reference, 'PENDING')),
      ...references.toReversed().map((reference) => beside.move(reference, 'PENDING')),
      ...references.map((reference) => fromProvider(payments, webhookBody(reference, 'PENDING'))),
      ...references
        .toReversed()
        .map((reference) => fromProvider(other, webhookBody(reference, 'PENDING'))),
    ])
    for (const status of statuses(both)) expect([200, 400]).toContain(status)
    const [row] = await other.sql<{ deadlocks: number }>(
      `SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()`,
    )
    expect(row?.deadlocks).toBe(0)
    const events = await Promise.all(references.map((reference) => user.events(reference)))
    for (const { body } of events) expect(body.data).toHaveLength(2)
  })

  it('by copies of one webhook are applied once', async () => {
    const reference = await newPayment(user)
    const release = await lockRow(payments, reference)
    const body = webhookBody(reference, 'PENDING')
    const responses = times(20, () => fromProvider(payments, body))
    await untilBlocked(payments, 2)
    await release()
    expect(new Set(statuses(await Promise.all(responses)))).toEqual(new Set([200]))
    expect((await user.events(reference)).body.data).toHaveLength(2)
  })
})

describe('batched reads', () => {
  it('return each caller’s own payment and no other’s', async () => {
    const references = await Promise.all(times(20, () => newPayment(user)))
    const stranger = as(await newUser(), payments)
    const answers = await Promise.all(
      references.flatMap((reference) => [user.get(reference), stranger.get(reference)]),
    )
    expect(statuses(answers)).toEqual(references.flatMap(() => [200, 404]))
    expect(answers.filter((_, n) => n % 2 === 0).map(({ body }) => body.reference)).toEqual(
      references,
    )
  })
})

describe('batched repeats', () => {
  /** The number of statements of each name that the replica sent during `work`. */
  const sentFor = async (names: readonly string[], work: () => Promise<unknown>) => {
    const counts = () =>
      Promise.all(
        names.map((name) =>
          payments.metric(`db_statement_duration_seconds_count{statement="${name}"}`),
        ),
      )
    const before = await counts()
    await work()
    return (await counts()).map((count, n) => count - (before[n] ?? 0))
  }

  it('of creates with a key return each first response, in few statements', async () => {
    const keys = times(60, () => ({ 'idempotency-key': randomUUID() }))
    const first = await Promise.all(keys.map((key) => user.create({}, key)))
    const names = ['idempotency_key_find', 'payment_find_version', 'durability_barrier']
    const sent = await sentFor(names, async () => {
      const again = await Promise.all(keys.map((key) => user.create({}, key)))
      expect(again.map(({ body }) => body)).toEqual(first.map(({ body }) => body))
      for (const { headers } of again) expect(headers.get('idempotent-replayed')).toBe('true')
    })
    expect(Math.min(...sent)).toBeGreaterThan(0)
    expect(Math.max(...sent)).toBeLessThan(40)
  })

  it('of webhooks return each payment, in few statements', async () => {
    const references = await Promise.all(times(60, () => newPayment(user)))
    const bodies = references.map((reference) => webhookBody(reference, 'PENDING'))
    await Promise.all(bodies.map((body) => fromProvider(payments, body)))
    const sent = await sentFor(['webhook_find', 'durability_barrier'], async () => {
      const again = await Promise.all(bodies.map((body) => fromProvider(payments, body)))
      expect(again.map(({ body }) => body.reference)).toEqual(references)
    })
    expect(Math.min(...sent)).toBeGreaterThan(0)
    expect(Math.max(...sent)).toBeLessThan(40)
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import type { Run } from '@malipo/kit/postgres/database'
import { Client } from '@malipo/testing/client'
import { until } from '@malipo/testing/until'
import { v7 } from 'uuid'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { login, newUser, startAuth } from './auth.js'
import type { Payments } from './payments.js'
import { as, fromProvider, newPayment, webhookBody } from './requests.js'
import { freshDatabase } from '@malipo/testing/database'
import { newerVersions } from '../src/waits/waits.store.js'
import { untilWaiting, waitingRead as read } from './waiting-reads.js'
import { withPayments } from './with-payments.js'

/** `GET /api/payments/{reference}?wait=` and `If-None-Match`. Rejections and faults are in other files. */

const { payments, owner, user } = await withPayments()
const other = await payments.replica()
afterAll(() => other.close())

const TICKS = 'db_statement_duration_seconds_count{statement="payment_newer_versions"}'

describe('If-None-Match without a wait', () => {
  it.each([
    ['the version', '"2"', 304],
    ['the version as a weak tag', 'W/"2"', 304],
    ['a list with the version', '"7", "2"', 304],
    ['* for any version', '*', 304],
    ['an earlier version', '"1"', 200],
    ['a tag of another format', '"abc"', 200],
  ])('with %s: %s gets %i', async (_, tag, expected) => {
    const reference = await newPayment(user, 'PENDING')
    const options = { headers: { 'if-none-match': tag } }
    const { status, headers, body } = await read(payments, owner, reference, options)
    expect([status, headers.get('etag')]).toEqual([expected, '"2"'])
    expect(body === '').toBe(expected === 304)
  })

  it('without quotes gets 400', async () => {
    const options = { headers: { 'if-none-match': '2' } }
    const { status, body } = await read(payments, owner, await newPayment(user), options)
    expect([status, body.errors]).toEqual([
      400,
      [{ field: 'If-None-Match', message: 'must be an ETag' }],
    ])
  })

  it('gets 404 for the payment of another user, whatever its version', async () => {
    const reference = await newPayment(user)
    const stranger = await newUser()
    for (const wait of [undefined, 20]) {
      const options = { wait, headers: { 'if-none-match': '*' } }
      expect((await read(payments, stranger, reference, options)).status).toBe(404)
      expect((await read(payments, owner, `PAY-${v7()}`, options)).status).toBe(404)
    }
  })
})

describe('a wait', () => {
  it.each(['0', '31', '-1', '1.5', '1e1', '', 'x', '5&wait=6'])('of %s gets 400', async (wait) => {
    const reference = await newPayment(user)
    const { status, body } = await payments.client.get(`/api/payments/${reference}?wait=${wait}`, {
      token: owner.token,
    })
    expect(status).toBe(400)
    expect(body.errors).toMatchObject([{ field: 'wait' }])
  })

  it('ends at once if the status is final, or if the version differs from If-None-Match', async () => {
    const settled = await newPayment(user, 'PENDING', 'FAILED')
    const open = await newPayment(user, 'PENDING')
    const ticks = await payments.metric(TICKS)
    const answers = await Promise.all([
      read(payments, owner, settled, { wait: 30 }),
      read(payments, owner, open, { wait: 30, headers: { 'if-none-match': '"1"' } }),
      read(payments, owner, open, { wait: 30, headers: { 'if-none-match': '"3"' } }),
    ])
    expect(answers.map(({ status, body }) => [status, body.status])).toEqual([
      [200, 'FAILED'],
      [200, 'PENDING'],
      [200, 'PENDING'],
    ])
    expect(await payments.metric(TICKS)).toBe(ticks)
  })

  it('without If-None-Match ends with the final status, not with an earlier change', async () => {
    const reference = await newPayment(user)
    const waiting = read(payments, owner, reference, { wait: 30 })
    await untilWaiting(payments, 1)
    await user.move(reference, 'PENDING')
    await untilWaiting(payments, 1)
    await fromProvider(payments, webhookBody(reference, 'SUCCESS'))
    const { status, headers, body } = await waiting
    expect([status, body.status, headers.get('etag')]).toEqual([200, 'SUCCESS', '"3"'])
  })

  it('with If-None-Match ends with the next change', async () => {
    const reference = await newPayment(user)
    const waiting = read(payments, owner, reference, {
      wait: 30,
      headers: { 'if-none-match': '"1"' },
    })
    await untilWaiting(payments, 1)
    await user.move(reference, 'PENDING')
    const { status, headers, body } = await waiting
    expect([status, body.status, headers.get('etag')]).toEqual([200, 'PENDING', '"2"'])
  })

  it('continues if the payment changes to another version of If-None-Match', async () => {
    const reference = await newPayment(user)
    const headers = { 'if-none-match': '"1", "2"' }
    const waiting = read(payments, owner, reference, { wait: 30, headers })
    await untilWaiting(payments, 1)
    await user.move(reference, 'PENDING')
    await untilWaiting(payments, 1)
    await user.move(reference, 'SUCCESS')
    expect((await waiting).headers.get('etag')).toBe('"3"')
  })

  it('ends at once with a change by the same replica, before the versions are read', async () => {
    const ticksUntilAnswer = async () => {
      const reference = await newPayment(user)
      const waiting = read(payments, owner, reference, {
        wait: 30,
        headers: { 'if-none-match': '"1"' },
      })
      await untilWaiting(payments, 1)
      const before = await payments.metric(TICKS)
      await user.move(reference, 'PENDING')
      expect((await waiting).status).toBe(200)
      return (await payments.metric(TICKS)) - before
    }
    // By chance, the versions may also be read between the change and the answer.
    const ticks: number[] = []
    for (let round = 0; round < 10; round++) ticks.push(await ticksUntilAnswer())
    expect(Math.min(...ticks)).toBe(0)
  })

  it('ends with a change by another replica', async () => {
    const reference = await newPayment(user, 'PENDING')
    const waiting = [
      read(payments, owner, reference, { wait: 30 }),
      read(payments, owner, reference, { wait: 30, headers: { 'if-none-match': '"2"' } }),
    ]
    await untilWaiting(payments, 2)
    await as(owner, other).move(reference, 'SUCCESS')
    for (const { status, body } of await Promise.all(waiting)) {
      expect([status, body.status]).toEqual([200, 'SUCCESS'])
    }
  })

  it('ends when its time has passed: with 304, or without If-None-Match with the payment', async () => {
    const reference = await newPayment(user, 'PENDING')
    const startedAt = performance.now()
    const [unchanged, any, open] = await Promise.all([
      read(payments, owner, reference, { wait: 1, headers: { 'if-none-match': '"2"' } }),
      read(payments, owner, reference, { wait: 1, headers: { 'if-none-match': '*' } }),
      read(payments, owner, reference, { wait: 1 }),
    ])
    expect(performance.now() - startedAt).toBeGreaterThan(950)
    expect([unchanged.status, unchanged.headers.get('etag'), unchanged.body]).toEqual([
      304,
      '"2"',
      '',
    ])
    expect(any.status).toBe(304)
    expect([open.status, open.body.status]).toEqual([200, 'PENDING'])
    await untilWaiting(payments, 0)
  })

  it('may last 30 s', { timeout: 60_000 }, async () => {
    const reference = await newPayment(user)
    const startedAt = performance.now()
    const headers = { 'if-none-match': '"1"' }
    expect((await read(payments, owner, reference, { wait: 30, headers })).status).toBe(304)
    expect(performance.now() - startedAt).toBeGreaterThan(29_000)
  })

  it('does not count in the duration of the request, also if its client disconnects', async () => {
    const reference = await newPayment(user)
    const route = 'method="GET",route="/api/payments/:reference"'
    const sum = (status: number) =>
      payments.metric(`http_request_duration_seconds_sum{${route},status_code="${status}"}`)
    const before = { 304: await sum(304), 499: await sum(499) }
    const headers = { 'if-none-match': '"1"' }
    const reads = (signal?: AbortSignal) =>
      Array.from({ length: 5 }, () =>
        read(payments, owner, reference, { wait: 4, headers, signal }),
      )
    await Promise.allSettled([...reads(), ...reads(AbortSignal.timeout(3_900))])
    // The sum of the waits is 20 s each.
    for (const status of [304, 499] as const) {
      await until(async () => (await sum(status)) > before[status])
      expect((await sum(status)) - before[status]).toBeLessThan(10)
    }
  })
})

describe('the token of a request that waits', () => {
  it('gets 401 at the end if its session was revoked meanwhile', async () => {
    const account = await newUser()
    const reference = await newPayment(as(account, payments))
    const second = { ...account, token: await login(account) }
    const waits = () => [
      read(payments, account, reference, { wait: 2, headers: { 'if-none-match': '"1"' } }),
      read(payments, account, reference, { wait: 30 }),
    ]
    const waiting = waits()
    await untilWaiting(payments, 2)
    const auth = new Client(inject('authUrl'))
    const logout = await auth.send('POST', '/api/auth/logout', { token: account.token })
    expect(logout.status).toBe(204)
    await waiting[0]
    for (const next of ['PENDING', 'SUCCESS']) await as(second, payments).move(reference, next)
    for (const { status, body } of await Promise.all(waiting)) {
      expect([status, body.type]).toEqual([401, '/problems/unauthenticated'])
    }
  })

  it('gets 401 at the end if it has expired meanwhile', async () => {
    const DATABASE_URL = await freshDatabase('auth')
    const auth = await startAuth({
      DATABASE_URL,
      JWT_EXPIRES_IN: '3',
      REDIS_URL: inject('redisUrl'),
    })
    const replica: Payments = await payments.replica({ AUTH_SERVICE_URL: auth.url })
    try {
      const account = await newUser(auth.url)
      const reference = await newPayment(as(account, replica))
      const { status } = await read(replica, account, reference, { wait: 5 })
      expect(status).toBe(401)
    } finally {
      await replica.close()
      await auth.stop()
    }
  }, 120_000)
})

describe('the statement that reads the versions', () => {
  it('is sent at most four times a second for all requests that wait, and not while none waits', async () => {
    const references = await Promise.all(Array.from({ length: 50 }, () => newPayment(user)))
    await untilWaiting(payments, 0)
    const idle = await payments.metric(TICKS)
    await sleep(600)
    expect(await payments.metric(TICKS)).toBe(idle)
    const startedAt = performance.now()
    const headers = { 'if-none-match': '"1"' }
    const waiting = references.map((reference) =>
      read(payments, owner, reference, { wait: 4, headers }),
    )
    expect((await Promise.all(waiting)).every(({ status }) => status === 304)).toBe(true)
    const sent = (await payments.metric(TICKS)) - idle
    const seconds = (performance.now() - startedAt) / 1000
    expect(sent).toBeGreaterThan(1)
    expect(sent).toBeLessThanOrEqual(4 * seconds + 1)
  })

  it('uses the index of the primary key', async () => {
    await payments.sql(
      `INSERT INTO payments (id, owner_id, amount_minor, currency, payment_method, customer_phone,
         customer_email, metadata, status, created_at, updated_at, version)
       SELECT md5(n::text)::uuid, $1, 5000, 'UGX', 'MOBILE_MONEY', '+256772123456',
         'amina@example.com', '{}', 'INITIATED', now(), now(), 1
       FROM generate_series(1, 50000) AS n`,
      owner.id,
    )
    await payments.sql('ANALYZE payments')
    const rows = await payments.sql<{ id: string }>('SELECT id FROM payments LIMIT 1000')
    const seen = rows.map(({ id }) => ({ id, version: 1 }))
    const plans: string[] = []
    const explain: Run = async ({ text }, values) => {
      const lines = [
        ...(await payments.sql(`EXPLAIN ${text}`, ...values)),
        ...(await payments.sql(`EXPLAIN (GENERIC_PLAN) ${text}`)),
      ]
      plans.push(...lines.map((line) => String(Object.values(line)[0])))
      return []
    }
    await newerVersions(explain, seen)
    const scans = plans.filter((line) => line.includes(' on payments'))
    expect(scans).toHaveLength(2)
    for (const scan of scans) expect(scan).toContain('Index Scan using payments_pkey')
  })
})

import { randomUUID } from 'node:crypto'
import { createLogger } from '@malipo/kit/telemetry/logger'
import { Redis } from '@malipo/kit/redis/redis'
import { WorkerMetrics } from '@malipo/kit/worker/worker'
import { Workers } from '@malipo/kit/worker/workers'
import { Redis as RedisClient } from 'ioredis'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { AuthClient } from '../src/caller/auth-client.js'
import { createTokenCheck } from '../src/caller/caller.providers.js'
import { readEnv } from '../src/env.js'
import type { User } from './auth.js'
import { environment, type Payments } from './payments.js'
import { as } from './requests.js'
import {
  cacheKeyOf,
  startTokenFixture,
  sidOf,
  type TokenFixture,
  sendRequest,
} from './token-fixture.js'
import { until } from '@malipo/testing/until'

/** The load that many concurrent requests put on auth and Redis. */

let fixture: TokenFixture
let payments: Payments
beforeAll(async () => {
  fixture = await startTokenFixture()
  payments = await fixture.replica({ TRUSTED_PROXIES: '127.0.0.1' })
})
afterAll(async () => {
  await payments.close()
  await fixture.close()
})

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A well-formed token that auth rejects. */
const invalidToken = (sid: string = randomUUID()) =>
  `${part({ alg: 'HS256' })}.${part({ sid })}.c2lnbmF0dXJl`

const countByStatus = (statuses: number[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(statuses, String)).map(([status, of]) => [status, of?.length]),
  )

/** Sends an invalid token, forwarded by a trusted proxy from this address. */
const sendInvalid = async (address: string, token = invalidToken()) => {
  const headers = { 'x-forwarded-for': address }
  return payments.client.get('/api/payments', { token, headers })
}

/** The number of commands with this name that Redis received during `work`. */
async function countCommands(name: string, work: () => Promise<unknown>): Promise<number> {
  const client = new RedisClient(fixture.redis.url)
  await client.call('CONFIG', 'RESETSTAT')
  await work()
  const stats = await client.info('commandstats')
  client.disconnect()
  return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
}

/** A token check without an HTTP server, so that all calls happen in one tick of the event loop. */
async function startTokenCheck() {
  const env = readEnv(environment(fixture.addresses))
  const [log, registry] = [createLogger('payments', 'silent'), new Registry()]
  const redis = new Redis(env, log)
  const workers = new Workers(log, new WorkerMetrics(registry))
  const auth = new AuthClient(env.AUTH_SERVICE_URL, env.DB_WAIT_MS, registry, log)
  const check = createTokenCheck(env, { auth, redis, log, registry, workers })
  redis.onApplicationBootstrap()
  await until(async () => (await redis.read(['key']))?.dataset)
  const close = () => {
    redis.onApplicationShutdown()
    auth.onApplicationShutdown()
  }
  return { check, close }
}

describe('concurrent requests', () => {
  it('with one uncached token cause one call to auth per replica', async () => {
    const replicas = await Promise.all([1, 2, 3].map(startTokenCheck))
    const { token } = await fixture.newUser()
    const before = await fixture.validateCalls()
    const request = { id: 'concurrent', ip: '192.0.2.9', headers: {} }
    const checks = replicas.flatMap(({ check }) =>
      Array.from({ length: 100 }, () => check.check(token, request)),
    )
    expect(new Set((await Promise.all(checks)).map(({ kind }) => kind))).toEqual(
      new Set(['accepted']),
    )
    expect((await fixture.validateCalls()) - before).toBeLessThanOrEqual(3)
    for (const { close } of replicas) close()
  })

  it('with cached tokens share Redis reads', async () => {
    const users = await Promise.all(Array.from({ length: 40 }, () => fixture.newUser()))
    await until(async () => {
      await Promise.all(users.map((user) => sendRequest(user, payments)))
      return (await fixture.redisClient.exists(users.map(cacheKeyOf))) === users.length
    })
    const other = await fixture.replica()
    const before = await fixture.validateCalls()
    const reads = await countCommands('mget', async () => {
      const answers = await Promise.all(users.map((user) => sendRequest(user, other)))
      expect(countByStatus(answers.map(({ status }) => status))).toEqual({ 200: 40 })
    })
    // On a busy machine some Redis reads are slow, and those requests call auth instead.
    expect((await fixture.validateCalls()) - before).toBeLessThan(10)
    expect(reads).toBeLessThan(20)
    await other.close()
  })

  it('with one cached token read Redis at most twice a second', async () => {
    const user = await fixture.newUser()
    const send = () => sendRequest(user, payments)
    await until(
      async () =>
        (await send()).status === 200 && (await fixture.redisClient.exists(cacheKeyOf(user))),
    )
    const begin = performance.now()
    const reads = await countCommands('mget', async () => {
      for (let n = 0; n < 100; n++) await send()
    })
    expect(reads).toBeLessThanOrEqual((performance.now() - begin) / 500 + 2)
  })
})

describe('invalid tokens', () => {
  it('are rejected again without a call to auth', async () => {
    const token = invalidToken()
    expect((await sendInvalid('192.0.2.1', token)).status).toBe(401)
    const before = await fixture.validateCalls()
    for (let n = 0; n < 5; n++) expect((await sendInvalid('192.0.2.1', token)).status).toBe(401)
    expect(await fixture.validateCalls()).toBe(before)
  })

  it('are throttled after 100 calls to auth, and leave only short-lived proofs in Redis', async () => {
    const redis = fixture.redisClient
    const [before, keys] = [await fixture.validateCalls(), await redis.keys('*')]
    const statuses: number[] = []
    for (let n = 0; n < 15; n++) {
      const batch = await Promise.all(Array.from({ length: 20 }, () => sendInvalid('192.0.2.2')))
      statuses.push(...batch.map(({ status }) => status))
    }
    const counts = countByStatus(statuses)
    expect(Object.keys(counts)).toEqual(['401', '429'])
    expect(counts['401']).toBeLessThanOrEqual(120)
    expect((await fixture.validateCalls()) - before).toBe(counts['401'])
    const added = (await redis.keys('*')).filter((key) => !keys.includes(key))
    expect(added.filter((key) => !key.startsWith('session:'))).toEqual([])
    expect(added.length).toBeLessThanOrEqual(Number(counts['401']))
    const lifetimes = await Promise.all(added.map((key) => redis.pttl(key)))
    expect(Math.max(...lifetimes)).toBeLessThanOrEqual(30_000)
    const { headers, body } = await sendInvalid('192.0.2.2')
    expect(headers.get('retry-after')).toMatch(/^([1-9]|10)$/)
    expect(body.type).toBe('/problems/too-many-bad-tokens')
  })

  it('throttle neither cached tokens nor other addresses', async () => {
    const user = await fixture.newUser()
    await until(async () => (await sendRequest(user, payments)).status === 200)
    const from = (address: string) =>
      payments.client.get('/api/payments', {
        token: user.token,
        headers: { 'x-forwarded-for': address },
      })
    expect((await sendInvalid('192.0.2.2')).status).toBe(429)
    expect((await from('192.0.2.2')).status).toBe(200)
    expect((await sendInvalid('192.0.2.3')).status).toBe(401)
  })

  it('cannot evade the throttle by X-Forwarded-For without a trusted proxy', async () => {
    const direct = await fixture.replica()
    const send = (n: number) =>
      direct.client.get('/api/payments', {
        token: invalidToken(),
        headers: { 'x-forwarded-for': `198.51.100.${n}` },
      })
    const answers = await Promise.all(Array.from({ length: 130 }, (_, n) => send(n)))
    expect(answers.map(({ status }) => status)).not.toContain(200)
    expect((await send(131)).status).toBe(429)
    await direct.close()
  })

  it('do not revoke the session that they claim', async () => {
    const user = await fixture.newUser()
    expect((await sendRequest(user, payments)).status).toBe(200)
    expect((await sendInvalid('192.0.2.4', invalidToken(sidOf(user)))).status).toBe(401)
    expect((await sendRequest(user, payments)).status).toBe(200)
  })
})

describe('calls to auth while it hangs', () => {
  it('are bounded: further requests get 503 at once, and cached tokens are accepted', async () => {
    const cached = await fixture.newUser()
    const replica = await fixture.replica({ TOKEN_CACHE_TTL_MS: '1', DB_WAIT_MS: '8000' })
    const inFlight = () => replica.metric('auth_calls_in_flight')
    await until(async () => (await sendRequest(cached, replica)).status === 200)
    await until(() => fixture.redisClient.exists(cacheKeyOf(cached)))
    fixture.proxies.auth.slow(3_600_000)
    const recover = () => {
      fixture.proxies.auth.slow(0)
      fixture.proxies.auth.cut()
    }
    onTestFinished(recover)
    const durations: number[] = []
    const sendUncached = async () => {
      const begin = performance.now()
      const { status, headers } = await replica.client.get('/api/payments', {
        token: invalidToken(),
      })
      durations.push(performance.now() - begin)
      expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      return status
    }
    const requests: Promise<number>[] = []
    const send = async (many: number) => {
      requests.push(...Array.from({ length: many }, sendUncached))
      await until(async () => (await inFlight()) + durations.length === requests.length)
    }
    // On a slow machine, the load shedder may reject some of these requests.
    while ((await inFlight()) < 256) await send(32)
    await until(async () => (await sendRequest(cached, replica)).status === 200)
    await send(44)
    expect(await inFlight()).toBe(256)
    expect(countByStatus(await Promise.all(requests))).toEqual({ 503: requests.length })
    expect(durations.filter((ms) => ms > 6_000)).toHaveLength(256)
    expect(await inFlight()).toBe(0)
    expect(await replica.metric('token_check_breaker_open{dependency="auth"}')).toBe(1)
    recover()
    // The circuit allows one call a second, and closes at the first successful one.
    await until(async () => {
      await sendRequest(cached, replica)
      return (await replica.metric('token_check_breaker_open{dependency="auth"}')) === 0
    })
    await replica.close()
  })
})

describe('TOKEN_CACHE_TTL_MS and TOKEN_CACHE_STALE_MS', () => {
  const settings = (ttl: number, stale: number) => ({
    TOKEN_CACHE_TTL_MS: String(ttl),
    TOKEN_CACHE_STALE_MS: String(stale),
  })
  const callsFor = async (at: Payments, user: User, times: number) => {
    const before = await fixture.validateCalls()
    for (let n = 0; n < times; n++) expect((await as(user, at).list()).status).toBe(200)
    return (await fixture.validateCalls()) - before
  }

  it.each([
    ['0 and 0: stores nothing and calls auth each time', 0, 0, 4, 0],
    ['0 and 60 s: calls auth each time, and stores the result for its outages', 0, 60_000, 4, 1],
    ['60 s and 0: stores the result while it is fresh', 60_000, 0, 1, 1],
  ])('%s', async (_, ttl, stale, calls, stored) => {
    const replica = await fixture.replica(settings(ttl, stale))
    await callsFor(replica, await fixture.newUser(), 1)
    const user = await fixture.newUser()
    expect(await callsFor(replica, user, 4)).toBe(calls)
    expect(await fixture.redisClient.exists(cacheKeyOf(user))).toBe(stored)
    await replica.close()
  })
})

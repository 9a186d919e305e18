import { randomUUID } from 'node:crypto'
import { createLogger } from '@malipo/kit/telemetry/logger'
import { Redis } from '@malipo/kit/redis/redis'
import { Redis as RedisClient } from 'ioredis'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { AuthClient } from '../src/caller/auth-client.js'
import { createTokenCheck } from '../src/caller/caller.providers.js'
import { readEnv } from '../src/env.js'
import type { User } from './auth.js'
import { environment, type Payments } from './payments.js'
import { as } from './requests.js'
import { keyOf, setStage, sidOf, type Stage, use } from './token-stage.js'
import { until } from './until.js'

/** What many requests at once cost auth and Redis. */

let stage: Stage
let payments: Payments
beforeAll(async () => {
  stage = await setStage()
  payments = await stage.replica({ TRUSTED_PROXIES: '127.0.0.1' })
})
afterAll(async () => {
  await payments.close()
  await stage.close()
})

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A token that looks like one of auth's, and that auth refuses. */
const badToken = (sid: string = randomUUID()) =>
  `${part({ alg: 'HS256' })}.${part({ sid })}.c2lnbmF0dXJl`

const count = (statuses: number[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(statuses, String)).map(([status, of]) => [status, of?.length]),
  )

/** Sends a bad token from an address, as the trusted proxy tells it. */
const bad = async (address: string, token = badToken()) => {
  const headers = { 'x-forwarded-for': address }
  return payments.client.get('/api/payments', { token, headers })
}

/** How many commands of a name Redis was sent while something was done. */
async function commands(name: string, work: () => Promise<unknown>): Promise<number> {
  const peek = new RedisClient(stage.redis.url)
  await peek.call('CONFIG', 'RESETSTAT')
  await work()
  const stats = await peek.info('commandstats')
  peek.disconnect()
  return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
}

/** The check of a replica without its HTTP, so that a crowd is there in one turn of its event loop. */
async function checkAlone() {
  const env = readEnv(environment(stage.addresses))
  const [log, registry] = [createLogger('payments', 'silent'), new Registry()]
  const redis = new Redis(env, log)
  const auth = new AuthClient(env.AUTH_SERVICE_URL, env.DB_WAIT_MS, registry)
  const check = createTokenCheck(env, { auth, redis, log, registry })
  redis.onApplicationBootstrap()
  await until(() => redis.dataset)
  const end = () => {
    redis.onApplicationShutdown()
    auth.onApplicationShutdown()
  }
  return { check, end }
}

describe('a stampede', () => {
  it('on one cold token reaches auth once a replica', async () => {
    const replicas = await Promise.all([1, 2, 3].map(checkAlone))
    const { token } = await stage.newUser()
    const before = await stage.asked()
    const request = { id: 'stampede', ip: '192.0.2.9', headers: {} }
    const crowd = replicas.flatMap(({ check }) =>
      Array.from({ length: 100 }, () => check.check(token, request)),
    )
    expect(new Set((await Promise.all(crowd)).map(({ kind }) => kind))).toEqual(
      new Set(['accepted']),
    )
    expect((await stage.asked()) - before).toBeLessThanOrEqual(3)
    for (const { end } of replicas) end()
  })

  it('of known tokens asks Redis together', async () => {
    const users = await Promise.all(Array.from({ length: 40 }, () => stage.newUser()))
    await until(async () => {
      await Promise.all(users.map((user) => use(user, payments)))
      return (await stage.peek.exists(users.map(keyOf))) === users.length
    })
    const other = await stage.replica()
    const before = await stage.asked()
    const asked = await commands('mget', async () => {
      const answers = await Promise.all(users.map((user) => use(user, other)))
      expect(count(answers.map(({ status }) => status))).toEqual({ 200: 40 })
    })
    // A busy machine may find Redis slow now and then.
    expect((await stage.asked()) - before).toBeLessThan(10)
    expect(asked).toBeLessThan(20)
    await other.close()
  })

  it('of one known token looks at Redis twice a second', async () => {
    const user = await stage.newUser()
    const send = () => use(user, payments)
    await until(async () => (await send()).status === 200 && (await stage.peek.exists(keyOf(user))))
    const begin = performance.now()
    const asked = await commands('mget', async () => {
      for (let n = 0; n < 100; n++) await send()
    })
    expect(asked).toBeLessThanOrEqual((performance.now() - begin) / 500 + 2)
  })
})

describe('bad tokens', () => {
  it('sent again are refused without asking', async () => {
    const token = badToken()
    expect((await bad('192.0.2.1', token)).status).toBe(401)
    const before = await stage.asked()
    for (let n = 0; n < 5; n++) expect((await bad('192.0.2.1', token)).status).toBe(401)
    expect(await stage.asked()).toBe(before)
  })

  it('in a flood reach auth a hundred times, and Redis not at all', async () => {
    const [before, keys] = [await stage.asked(), await stage.peek.dbsize()]
    const statuses: number[] = []
    for (let n = 0; n < 15; n++) {
      const some = await Promise.all(Array.from({ length: 20 }, () => bad('192.0.2.2')))
      statuses.push(...some.map(({ status }) => status))
    }
    const told = count(statuses)
    expect(Object.keys(told)).toEqual(['401', '429'])
    expect(told['401']).toBeLessThanOrEqual(120)
    expect((await stage.asked()) - before).toBe(told['401'])
    expect(await stage.peek.dbsize()).toBeLessThanOrEqual(keys)
    const { headers, body } = await bad('192.0.2.2')
    expect(headers.get('retry-after')).toMatch(/^([1-9]|10)$/)
    expect(body.type).toBe('/problems/too-many-bad-tokens')
  })

  it('hold up nobody whose token is known, and no other address', async () => {
    const user = await stage.newUser()
    await until(async () => (await use(user, payments)).status === 200)
    const from = (address: string) =>
      payments.client.get('/api/payments', {
        token: user.token,
        headers: { 'x-forwarded-for': address },
      })
    expect((await bad('192.0.2.2')).status).toBe(429)
    expect((await from('192.0.2.2')).status).toBe(200)
    expect((await bad('192.0.2.3')).status).toBe(401)
  })

  it('can’t make up another address unless a proxy is trusted', async () => {
    const plain = await stage.replica()
    const send = (n: number) =>
      plain.client.get('/api/payments', {
        token: badToken(),
        headers: { 'x-forwarded-for': `198.51.100.${n}` },
      })
    const answers = await Promise.all(Array.from({ length: 130 }, (_, n) => send(n)))
    expect(answers.map(({ status }) => status)).not.toContain(200)
    expect((await send(131)).status).toBe(429)
    await plain.close()
  })

  it('don’t end the session that they name', async () => {
    const user = await stage.newUser()
    expect((await use(user, payments)).status).toBe(200)
    expect((await bad('192.0.2.4', badToken(sidOf(user)))).status).toBe(401)
    expect((await use(user, payments)).status).toBe(200)
  })
})

describe('calls to an auth that hangs', () => {
  it('are bounded: beyond, 503 at once, and a known token is let in', async () => {
    const known = await stage.newUser()
    const old = await stage.replica({ TOKEN_CACHE_TTL_MS: '1', DB_WAIT_MS: '3000' })
    const inFlight = () => old.metric('auth_calls_in_flight')
    await until(async () => (await use(known, old)).status === 200)
    await until(() => stage.peek.exists(keyOf(known)))
    stage.wires.auth.slow(3_600_000)
    const answerAgain = () => {
      stage.wires.auth.slow(0)
      stage.wires.auth.cut()
    }
    onTestFinished(answerAgain)
    const tooks: number[] = []
    const unknown = async () => {
      const begin = performance.now()
      const { status, headers } = await old.client.get('/api/payments', { token: badToken() })
      tooks.push(performance.now() - begin)
      expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      return status
    }
    const crowd: Promise<number>[] = []
    const send = async (many: number) => {
      crowd.push(...Array.from({ length: many }, unknown))
      await until(async () => (await inFlight()) + tooks.length === crowd.length)
    }
    // On a slow machine the door may take a part of them for a burst, and refuse it.
    while ((await inFlight()) < 256) await send(32)
    await until(async () => (await use(known, old)).status === 200)
    await send(44)
    expect(await inFlight()).toBe(256)
    expect(count(await Promise.all(crowd))).toEqual({ 503: crowd.length })
    expect(tooks.filter((ms) => ms > 3_000)).toHaveLength(256)
    expect(await inFlight()).toBe(0)
    expect(await old.metric('token_check_breaker_open{dependency="auth"}')).toBe(1)
    answerAgain()
    // One try a second, and the first that succeeds is the end of it.
    await until(async () => {
      await use(known, old)
      return (await old.metric('token_check_breaker_open{dependency="auth"}')) === 0
    })
    await old.close()
  })
})

describe('TOKEN_CACHE_TTL_MS and TOKEN_CACHE_STALE_MS', () => {
  const settings = (ttl: number, stale: number) => ({
    TOKEN_CACHE_TTL_MS: String(ttl),
    TOKEN_CACHE_STALE_MS: String(stale),
  })
  const askedBy = async (at: Payments, user: User, times: number) => {
    const before = await stage.asked()
    for (let n = 0; n < times; n++) expect((await as(user, at).list()).status).toBe(200)
    return (await stage.asked()) - before
  }

  it.each([
    ['0 and 0: nothing is kept, auth is asked each time', 0, 0, 4, 0],
    ['0 and some: auth is asked each time, an answer kept for when it can’t be', 0, 60_000, 4, 1],
    ['some and 0: an answer is kept while it is fresh', 60_000, 0, 1, 1],
  ])('%s', async (_, ttl, stale, asked, kept) => {
    const replica = await stage.replica(settings(ttl, stale))
    await askedBy(replica, await stage.newUser(), 1)
    const user = await stage.newUser()
    expect(await askedBy(replica, user, 4)).toBe(asked)
    expect(await stage.peek.exists(keyOf(user))).toBe(kept)
    await replica.close()
  })
})

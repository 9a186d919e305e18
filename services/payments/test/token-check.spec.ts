import { type Service, startService } from '@malipo/local/process'
import { type Redis, startRedis } from '@malipo/local/redis'
import { freshDatabase } from '@malipo/testing/database'
import { Redis as RedisClient } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { authEnvironment, login, newUser, startAuth, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as } from './requests.js'
import {
  cacheKeyOf,
  entryOf,
  sessionKeyOf,
  sidOf,
  storeEntry,
  validateCallsOf,
} from './token-fixture.js'
import { until } from '@malipo/testing/until'

/** This file has its own auth and Redis, which it stops and restarts. */

let auth: Service
let redis: Redis
let redisClient: RedisClient
let payments: Payments
let authDatabase: string

beforeAll(async () => {
  authDatabase = await freshDatabase('auth')
  auth = await startAuth({ DATABASE_URL: authDatabase })
  const started = await startRedis()
  if (!started) throw new Error('Redis is not installed')
  redis = started
  redisClient = new RedisClient(redis.url, { retryStrategy: () => 50 })
  redisClient.on('error', () => undefined)
  payments = await startPayments({ AUTH_SERVICE_URL: auth.url, REDIS_URL: redis.url })
  await untilCacheIsUsed()
})
afterAll(async () => {
  redisClient.disconnect()
  await payments.close()
  await Promise.all([auth.stop(), redis.stop()])
})

const list = ({ token }: User, at: Payments = payments) => as({ token }, at).list()
const checks = (outcome: string, at: Payments = payments) =>
  at.metric(`token_checks_total{outcome="${outcome}"}`)
const validateCalls = () => validateCallsOf(auth)

/** Resolves when the replica uses its cache again. */
async function untilCacheIsUsed(at: Payments = payments) {
  const user = await newUser(auth.url)
  const hit = async () => {
    const before = await checks('hit', at)
    await list(user, at)
    return (await checks('hit', at)) > before
  }
  await until(hit)
}

/** Resolves when Redis has an entry of a user's token. */
const untilStored = (user: User) => until(() => redisClient.exists(cacheKeyOf(user)))

describe('a token', () => {
  it('is validated once by auth, however many concurrent requests present it', async () => {
    const user = await newUser(auth.url)
    const before = await validateCalls()
    const answers = await Promise.all(Array.from({ length: 30 }, () => list(user)))
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(30).fill(200))
    expect(await validateCalls()).toBe(before + 1)
  })

  it('is accepted by another replica from the shared cache', async () => {
    const replica = await payments.replica()
    await untilCacheIsUsed(replica)
    const user = await newUser(auth.url)
    await list(user)
    await untilStored(user)
    const [before, hits] = [await validateCalls(), await checks('hit', replica)]
    expect((await list(user, replica)).status).toBe(200)
    expect(await validateCalls()).toBe(before)
    expect(await checks('hit', replica)).toBe(hits + 1)
    await replica.close()
  })

  it('is stored in Redis as a SHA-256 hash with its sub, sid, scope, exp, time, proof and data set only', async () => {
    const user = await newUser(auth.url)
    await list(user)
    await untilStored(user)
    const entry = await entryOf(user, redisClient)
    const fields = ['at', 'dataset', 'exp', 'proof', 'scope', 'sid', 'sub']
    expect(Object.keys(entry).sort()).toEqual(fields)
    expect(entry).toMatchObject({ sub: user.id, sid: sidOf(user) })
    const keys = (await redisClient.keys('*')).filter((key) => !key.startsWith('auth:'))
    const values = await redisClient.mget(keys)
    const all = [...keys, ...values].join('\n')
    for (const secret of [user.token, user.phone, user.email, user.phone.slice(1)]) {
      expect(all).not.toContain(secret)
    }
    expect(await redisClient.pttl(cacheKeyOf(user))).toBeLessThanOrEqual(900_000)
  })

  it('is not stored in Redis if auth rejects it', async () => {
    const forged: User = {
      ...(await newUser(auth.url)),
      token: 'eyJhbGciOiJIUzI1NiJ9.eyJzaWQiOiJhIn0.c2ln',
    }
    expect((await list(forged)).status).toBe(401)
    expect(await redisClient.exists(cacheKeyOf(forged))).toBe(0)
  })

  it('is validated again after TOKEN_CACHE_TTL_MS', async () => {
    const replica = await payments.replica({ TOKEN_CACHE_TTL_MS: '150' })
    const user = await newUser(auth.url)
    await list(user, replica)
    const before = await validateCalls()
    await until(async () => {
      await list(user, replica)
      return (await validateCalls()) > before
    })
    await replica.close()
  })

  it('is rejected without a call to auth once its session is revoked in Redis', async () => {
    const user = await newUser(auth.url)
    await list(user)
    await untilStored(user)
    const before = await validateCalls()
    await redisClient.set(sessionKeyOf(user), `revoked:${Date.now()}`, 'PX', 60_000)
    await until(async () => (await list(user)).status === 401)
    expect(await validateCalls()).toBe(before)
  })

  it('is not cached in its last 30 s: auth validates it each time until it expires', async () => {
    const shortLived = await startAuth({ DATABASE_URL: authDatabase, JWT_EXPIRES_IN: '3' })
    const replica = await payments.replica({ AUTH_SERVICE_URL: shortLived.url })
    await untilCacheIsUsed(replica)
    const user = await newUser(shortLived.url)
    expect((await list(user, replica)).status).toBe(200)
    expect((await list(user, replica)).status).toBe(200)
    expect(await redisClient.exists(cacheKeyOf(user))).toBe(0)
    await until(async () => (await list(user, replica)).status === 401)
    await replica.close()
    await shortLived.stop()
  })

  it('is not accepted from the cache after its exp', async () => {
    const user = await newUser(auth.url)
    await list(user)
    await untilStored(user)
    const entry = await entryOf(user, redisClient)
    await storeEntry(user, { ...entry, exp: Date.now() / 1000 - 1 }, redisClient)
    const replica = await payments.replica()
    const before = await validateCalls()
    expect((await list(user, replica)).status).toBe(200)
    expect(await validateCalls()).toBe(before + 1)
    await replica.close()
  })

  it.each(['not json', '{}', '[]', 'null', '{"sub":1}'])(
    'is validated by auth if its entry in Redis is %s',
    async (value) => {
      const user = await newUser(auth.url)
      await redisClient.set(cacheKeyOf(user), value)
      expect((await list(user)).status).toBe(200)
    },
  )
})

describe('Redis that does not allow INFO', () => {
  it('does not name its data set, so nothing is cached and auth validates each token', async () => {
    await redisClient.call('ACL', 'SETUSER', 'default', '-info')
    const replica = await payments.replica()
    const user = await newUser(auth.url)
    const before = await validateCalls()
    for (let n = 0; n < 3; n++) expect((await list(user, replica)).status).toBe(200)
    expect(await validateCalls()).toBe(before + 3)
    expect(await redisClient.exists(cacheKeyOf(user), sessionKeyOf(user))).toBe(0)
    await redisClient.call('ACL', 'SETUSER', 'default', '+info')
    await replica.close()
  })
})

describe('while Redis is down', () => {
  it('auth validates each token, and the cache is used again afterwards', async () => {
    const user = await newUser(auth.url)
    await list(user)
    await redis.kill()
    const before = await validateCalls()
    for (let n = 0; n < 3; n++) expect((await list(user)).status).toBe(200)
    expect(await validateCalls()).toBe(before + 3)
    await redis.restart()
    await untilCacheIsUsed()
  })
})

describe('while auth is down', () => {
  let cached: User
  let other: User
  let uncached: User
  beforeAll(async () => {
    cached = await newUser(auth.url)
    other = { ...cached, token: await login(cached, auth.url) }
    uncached = { ...cached, token: await login(cached, auth.url) }
    await Promise.all([list(cached), list(other)])
    await Promise.all([untilStored(cached), untilStored(other)])
    await auth.kill()
  })
  it('a cached token is accepted', async () => {
    expect((await list(cached)).status).toBe(200)
  })

  it('an uncached token gets 503 with Retry-After, never 401', async () => {
    const { status, body, headers } = await list(uncached)
    expect(status).toBe(503)
    expect(body.type).toBe('/problems/auth-unavailable')
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  })

  it('a stale entry is used until TOKEN_CACHE_STALE_MS', async () => {
    const replica = await payments.replica({ TOKEN_CACHE_TTL_MS: '1' })
    await until(async () => (await list(cached, replica)).status === 200)
    expect(await checks('stale', replica)).toBeGreaterThan(0)
    expect(await checks('hit', replica)).toBe(0)
    await replica.close()
    const strict = await payments.replica({ TOKEN_CACHE_TTL_MS: '1', TOKEN_CACHE_STALE_MS: '1' })
    await redisClient.ping()
    expect((await list(cached, strict)).status).toBe(503)
    await strict.close()
  })

  it('a cached token gets 503 without Redis', async () => {
    const replica = await payments.replica({ REDIS_URL: undefined })
    expect((await list(cached, replica)).status).toBe(503)
    await replica.close()
  })

  it('a cached token of a revoked session is rejected', async () => {
    await redisClient.set(sessionKeyOf(other), `revoked:${Date.now()}`, 'PX', 60_000)
    const replica = await payments.replica()
    expect((await list(other, replica)).status).toBe(401)
    await replica.close()
  })

  it('a token that could not be validated is accepted once auth is back', async () => {
    auth = await startService({
      name: 'auth',
      env: authEnvironment({ DATABASE_URL: authDatabase, PORT: String(auth.port) }),
    })
    expect((await list(uncached)).status).toBe(200)
  })
})

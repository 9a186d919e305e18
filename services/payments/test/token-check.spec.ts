import { createHash } from 'node:crypto'
import { type Service, startService } from '@malipo/local/process'
import { type Redis, startRedis } from '@malipo/local/redis'
import { Client } from '@malipo/testing/client'
import { freshDatabase } from '@malipo/testing/database'
import { Redis as RedisClient } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { authEnvironment, login, newUser, startAuth, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as } from './requests.js'
import { until } from './until.js'

/** Auth and Redis of this file alone, which it ends and starts again. */

let auth: Service
let redis: Redis
let peek: RedisClient
let payments: Payments
let authDatabase: string

beforeAll(async () => {
  authDatabase = await freshDatabase('auth')
  auth = await startAuth({ DATABASE_URL: authDatabase })
  const started = await startRedis()
  if (!started) throw new Error('no Redis')
  redis = started
  peek = new RedisClient(redis.url, { retryStrategy: () => 50 })
  peek.on('error', () => undefined)
  payments = await startPayments({ AUTH_SERVICE_URL: auth.url, REDIS_URL: redis.url })
  await untilCached()
})
afterAll(async () => {
  peek.disconnect()
  await payments.close()
  await Promise.all([auth.stop(), redis.stop()])
})

const user = () => newUser(auth.url)
const list = ({ token }: User, at: Payments = payments) => as({ token }, at).list()
const checks = (outcome: string, at: Payments = payments) =>
  at.metric(`token_checks_total{outcome="${outcome}"}`)
const keyOf = ({ token }: User) => `token:${createHash('sha256').update(token).digest('hex')}`
const sidOf = ({ token }: User) =>
  (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sid: string })
    .sid

/** How often auth was asked about a token. */
async function asked(): Promise<number> {
  const { body } = await new Client(auth.url).get('/metrics')
  const lines = String(body).match(
    /^http_request_duration_seconds_count\{[^}]*route="\/api\/auth\/validate"[^}]*\} \d+$/gm,
  )
  return (lines ?? []).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** Resolves when a replica takes answers from Redis again. */
async function untilCached(at: Payments = payments) {
  const someone = await user()
  const hit = async () => {
    const before = await checks('hit', at)
    await list(someone, at)
    return (await checks('hit', at)) > before
  }
  await until(hit)
}

/** Resolves once Redis has what auth said of a token. */
const untilKept = (one: User) => until(() => peek.exists(keyOf(one)))

describe('a token', () => {
  it('is asked about once, however many first uses come at once', async () => {
    const someone = await user()
    const before = await asked()
    const answers = await Promise.all(Array.from({ length: 30 }, () => list(someone)))
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(30).fill(200))
    expect(await asked()).toBe(before + 1)
  })

  it('that is known is known to another replica through Redis', async () => {
    const replica = await payments.replica()
    await untilCached(replica)
    const someone = await user()
    await list(someone)
    await untilKept(someone)
    const [before, hits] = [await asked(), await checks('hit', replica)]
    expect((await list(someone, replica)).status).toBe(200)
    expect(await asked()).toBe(before)
    expect(await checks('hit', replica)).toBe(hits + 1)
    await replica.close()
  })

  it('is in Redis as its SHA-256 with sub, sid, scope, exp, its time and generation, and nothing else', async () => {
    const someone = await user()
    await list(someone)
    await untilKept(someone)
    const kept = JSON.parse((await peek.get(keyOf(someone))) ?? '') as Record<string, unknown>
    expect(Object.keys(kept).sort()).toEqual(['at', 'exp', 'generation', 'scope', 'sid', 'sub'])
    expect(kept).toMatchObject({ sub: someone.id, sid: sidOf(someone) })
    const keys = (await peek.keys('*')).filter((key) => !key.startsWith('auth:'))
    const values = await peek.mget(keys)
    const all = [...keys, ...values].join('\n')
    for (const secret of [someone.token, someone.phone, someone.email, someone.phone.slice(1)]) {
      expect(all).not.toContain(secret)
    }
    expect(await peek.pttl(keyOf(someone))).toBeLessThanOrEqual(900_000)
  })

  it('that was refused is not kept', async () => {
    const forged: User = { ...(await user()), token: 'eyJhbGciOiJIUzI1NiJ9.eyJzaWQiOiJhIn0.c2ln' }
    expect((await list(forged)).status).toBe(401)
    expect(await peek.exists(keyOf(forged))).toBe(0)
  })

  it('is asked about again after TOKEN_CACHE_TTL_MS', async () => {
    const replica = await payments.replica({ TOKEN_CACHE_TTL_MS: '150' })
    const someone = await user()
    await list(someone, replica)
    const before = await asked()
    await until(async () => {
      await list(someone, replica)
      return (await asked()) > before
    })
    await replica.close()
  })

  it('whose session is revoked in Redis is refused, whatever is kept of it, and auth not asked', async () => {
    const someone = await user()
    await list(someone)
    await untilKept(someone)
    const before = await asked()
    await peek.set(`revoked:${sidOf(someone)}`, String(Date.now()), 'PX', 60_000)
    await until(async () => (await list(someone)).status === 401)
    expect(await asked()).toBe(before)
  })

  it('is not kept in its last 30 s: auth is asked each time, and is the one to end it', async () => {
    const brief = await startAuth({ DATABASE_URL: authDatabase, JWT_EXPIRES_IN: '3' })
    const replica = await payments.replica({ AUTH_SERVICE_URL: brief.url })
    await untilCached(replica)
    const someone = await newUser(brief.url)
    expect((await list(someone, replica)).status).toBe(200)
    expect((await list(someone, replica)).status).toBe(200)
    expect(await peek.exists(keyOf(someone))).toBe(0)
    await until(async () => (await list(someone, replica)).status === 401)
    await replica.close()
    await brief.stop()
  })

  it('is never used past its exp, by whatever is kept of it', async () => {
    const someone = await user()
    await list(someone)
    await untilKept(someone)
    const entry = JSON.parse((await peek.get(keyOf(someone))) ?? '') as object
    const over = { ...entry, exp: Date.now() / 1000 - 1 }
    await peek.set(keyOf(someone), JSON.stringify(over))
    const replica = await payments.replica()
    const before = await asked()
    expect((await list(someone, replica)).status).toBe(200)
    expect(await asked()).toBe(before + 1)
    await replica.close()
  })

  it.each(['not json', '{}', '[]', 'null', '{"sub":1}'])(
    'is asked about when Redis has %s of it',
    async (value) => {
      const someone = await user()
      await peek.set(keyOf(someone), value)
      expect((await list(someone)).status).toBe(200)
    },
  )
})

describe('a Redis that does not say who it is', () => {
  it('serves each connection by itself: who connects anew asks auth', async () => {
    await peek.call('ACL', 'SETUSER', 'default', '-info')
    const [one, other] = [await payments.replica(), await payments.replica()]
    await untilCached(one)
    await untilCached(other)
    const someone = await user()
    await list(someone, one)
    await untilKept(someone)
    const before = await asked()
    const hits = await checks('hit', one)
    expect((await list(someone, one)).status).toBe(200)
    expect([await asked(), await checks('hit', one)]).toEqual([before, hits + 1])
    expect((await list(someone, other)).status).toBe(200)
    expect(await asked()).toBe(before + 1)
    await peek.call('ACL', 'SETUSER', 'default', '+info')
    await Promise.all([one.close(), other.close()])
  })
})

describe('Redis down', () => {
  it('means asking auth each time, and nothing fails; back, it is used again', async () => {
    const someone = await user()
    await list(someone)
    await redis.kill()
    const before = await asked()
    for (let n = 0; n < 3; n++) expect((await list(someone)).status).toBe(200)
    expect(await asked()).toBe(before + 3)
    await redis.restart()
    await untilCached()
  })
})

describe('auth down', () => {
  let known: User
  let other: User
  let unknown: User
  beforeAll(async () => {
    known = await user()
    other = { ...known, token: await login(known, auth.url) }
    unknown = { ...known, token: await login(known, auth.url) }
    await Promise.all([list(known), list(other)])
    await Promise.all([untilKept(known), untilKept(other)])
    await auth.kill()
  })
  it('a known token goes on working', async () => {
    expect((await list(known)).status).toBe(200)
  })

  it('an unknown one is 503 with Retry-After, never 401', async () => {
    const { status, body, headers } = await list(unknown)
    expect(status).toBe(503)
    expect(body.type).toBe('/problems/auth-unavailable')
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  })

  it('an answer older than its TTL is used, up to TOKEN_CACHE_STALE_MS', async () => {
    const replica = await payments.replica({ TOKEN_CACHE_TTL_MS: '1' })
    await until(async () => (await list(known, replica)).status === 200)
    expect(await checks('stale', replica)).toBeGreaterThan(0)
    expect(await checks('hit', replica)).toBe(0)
    await replica.close()
    const strict = await payments.replica({ TOKEN_CACHE_TTL_MS: '1', TOKEN_CACHE_STALE_MS: '1' })
    await peek.ping()
    expect((await list(known, strict)).status).toBe(503)
    await strict.close()
  })

  it('and Redis too: nothing is known, so 503', async () => {
    const replica = await payments.replica({ REDIS_URL: undefined })
    expect((await list(known, replica)).status).toBe(503)
    await replica.close()
  })

  it('a revoked session’s answer is not used: its mark is word enough', async () => {
    await peek.set(`revoked:${sidOf(other)}`, String(Date.now()), 'PX', 60_000)
    const replica = await payments.replica()
    expect((await list(other, replica)).status).toBe(401)
    await replica.close()
  })

  it('and back: a token that could not be checked works', async () => {
    auth = await startService({
      name: 'auth',
      env: authEnvironment({ DATABASE_URL: authDatabase, PORT: String(auth.port) }),
    })
    expect((await list(unknown)).status).toBe(200)
  })
})

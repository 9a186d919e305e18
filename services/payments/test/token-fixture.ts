import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Service } from '@malipo/local/process'
import { type Redis, startRedis } from '@malipo/local/redis'
import { Client } from '@malipo/testing/client'
import { freshDatabase } from '@malipo/testing/database'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { Redis as RedisClient } from 'ioredis'
import { expect } from 'vitest'
import type { CachedToken } from '../src/caller/cached-token.js'
import { EntrySeal } from '../src/caller/entry-seal.js'
import { newUser, startAuth, type User } from './auth.js'
import { CACHE_KEY, type Payments, startPayments } from './payments.js'
import { as } from './requests.js'
import { until } from '@malipo/testing/until'

/** Auth and Redis for one test file, and payments replicas that reach both through proxies. */
export interface TokenFixture {
  readonly auth: Service
  /** The URL of auth's database. */
  readonly authDatabase: string
  readonly redis: Redis
  /** A connection to Redis that bypasses the proxy. */
  readonly redisClient: RedisClient
  /** The data directory of Redis: `SAVE` writes there, and a restart reads it. */
  readonly dataDir: string
  readonly proxies: { readonly auth: Proxy; readonly redis: Proxy }
  /** The environment variables of a payments service that runs in another process. */
  readonly addresses: Record<'AUTH_SERVICE_URL' | 'REDIS_URL' | 'DATABASE_URL', string>
  replica(overrides?: Record<string, string>): Promise<Payments>
  newUser(): Promise<User>
  /** Starts another auth service on the same database. */
  otherAuth(overrides: Record<string, string>): Promise<Service>
  /** Logs out; resolves when auth has published the revocation. */
  logout(user: User): Promise<void>
  /** The number of calls to auth's `/validate` so far. */
  validateCalls(): Promise<number>
  close(): Promise<void>
}

/** Sends a request. The status of its response, 200 or an error, shows the result of the token check. */
export const sendRequest = (user: User, at: Pick<Payments, 'client'>) =>
  as(user, at).list('?limit=1')

export const cacheKeyOf = ({ token }: User) =>
  `token:${createHash('sha256').update(token).digest('hex')}`

const claimsOf = ({ token }: User) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sid: string
    exp: number
  }
export const sidOf = (user: User) => claimsOf(user).sid
export const sessionKeyOf = (user: User) => `session:${sidOf(user)}`
export const expOf = (user: User) => claimsOf(user).exp

/** Signs entries as the replicas of the tests do. */
const seal = new EntrySeal({ keys: [], current: Buffer.from(CACHE_KEY) }, { inc: () => undefined })

/** The entry of a user's token in Redis. */
export async function entryOf(user: User, redisClient: RedisClient): Promise<CachedToken> {
  const value = (await redisClient.get(cacheKeyOf(user))) ?? ''
  return JSON.parse(value.slice(value.indexOf('.') + 1)) as CachedToken
}

/** Stores a signed entry of a user's token, as only a replica can. */
export function storeEntry(user: User, entry: CachedToken, redisClient: RedisClient) {
  const key = cacheKeyOf(user)
  return redisClient.set(key, seal.sign(key, entry), 'PX', 60_000)
}

export async function startTokenFixture(): Promise<TokenFixture> {
  const authDatabase = await freshDatabase('auth')
  const dataDir = await mkdtemp(join(tmpdir(), 'malipo-redis-'))
  const redis = await startRedis({ dataDir })
  if (!redis) throw new Error('Redis is not installed')
  const auth = await startAuth({ DATABASE_URL: authDatabase, REDIS_URL: redis.url })
  const proxies = { auth: await startProxy(auth.port), redis: await startProxy(redis.port) }
  const redisClient = new RedisClient(redis.url, { retryStrategy: () => 50 })
  redisClient.on('error', () => undefined)
  const env = {
    AUTH_SERVICE_URL: `http://127.0.0.1:${proxies.auth.port}`,
    REDIS_URL: `redis://127.0.0.1:${proxies.redis.port}`,
    DB_WAIT_MS: '4500',
  }
  const first = await startPayments(env)
  return {
    auth,
    authDatabase,
    redis,
    redisClient,
    dataDir,
    proxies,
    addresses: { ...env, DATABASE_URL: first.databaseUrl },
    async replica(overrides = {}) {
      const replica = await first.replica(overrides)
      await untilRedisCircuitCloses(replica)
      return replica
    },
    newUser: () => newUser(auth.url),
    otherAuth: (overrides) =>
      startAuth({ DATABASE_URL: authDatabase, REDIS_URL: redis.url, ...overrides }),
    async logout({ token }) {
      const { status } = await new Client(auth.url).send('POST', '/api/auth/logout', { token })
      expect(status).toBe(204)
    },
    validateCalls: () => validateCallsOf(auth),
    async close() {
      redisClient.disconnect()
      await first.close()
      await Promise.all([proxies.auth.close(), proxies.redis.close()])
      await Promise.all([auth.kill(), redis.stop()])
      await rm(dataDir, { recursive: true })
    },
  }
}

/** The number of calls to `/validate` that an auth service has answered. */
export async function validateCallsOf(auth: Pick<Service, 'url'>): Promise<number> {
  const { body } = await new Client(auth.url).get('/metrics')
  const lines = String(body).match(
    /^http_request_duration_seconds_count\{[^}]*route="\/api\/auth\/validate"[^}]*\} \d+$/gm,
  )
  return (lines ?? []).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** Resolves when every replica is connected to Redis and its circuit is closed. */
export async function untilRedisCircuitCloses(...replicas: readonly Pick<Payments, 'metric'>[]) {
  const isOpen = 'token_check_breaker_open{dependency="redis"}'
  await until(async () => {
    const values = await Promise.all(replicas.map((replica) => replica.metric(isOpen)))
    return values.every((value) => value === 0)
  })
}

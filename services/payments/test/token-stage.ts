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
import { newUser, startAuth, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as } from './requests.js'
import { until } from './until.js'

/** Auth and Redis of one test file, and payments replicas that reach both over wires which a test holds. */
export interface Stage {
  readonly auth: Service
  readonly redis: Redis
  /** A connection to Redis that goes past the wire. */
  readonly peek: RedisClient
  /** Where Redis' `SAVE` writes, and where it looks when it is started. */
  readonly dataDir: string
  readonly wires: { readonly auth: Proxy; readonly redis: Proxy }
  /** Where payments find both: for a service that is a process of its own. */
  readonly addresses: Record<'AUTH_SERVICE_URL' | 'REDIS_URL' | 'DATABASE_URL', string>
  replica(own?: Record<string, string>): Promise<Payments>
  newUser(): Promise<User>
  /** Another auth on the same database. */
  otherAuth(own: Record<string, string>): Promise<Service>
  /** Ends a user's session, which is over everywhere once auth has answered. */
  logout(user: User): Promise<void>
  /** How often auth was asked about a token. */
  asked(): Promise<number>
  close(): Promise<void>
}

/** A request that tells of a token's check alone: 200, or what the guard answers. */
export const use = (user: User, at: Pick<Payments, 'client'>) => as(user, at).list('?limit=1')

export const keyOf = ({ token }: User) =>
  `token:${createHash('sha256').update(token).digest('hex')}`

const claimsOf = ({ token }: User) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sid: string
    exp: number
  }
export const sidOf = (user: User) => claimsOf(user).sid
export const expOf = (user: User) => claimsOf(user).exp

export async function setStage(): Promise<Stage> {
  const authDatabase = await freshDatabase('auth')
  const dataDir = await mkdtemp(join(tmpdir(), 'malipo-redis-'))
  const redis = await startRedis({ dataDir })
  if (!redis) throw new Error('no Redis')
  const auth = await startAuth({ DATABASE_URL: authDatabase, REDIS_URL: redis.url })
  const wires = { auth: await startProxy(auth.port), redis: await startProxy(redis.port) }
  const peek = new RedisClient(redis.url, { retryStrategy: () => 50 })
  peek.on('error', () => undefined)
  const over = {
    AUTH_SERVICE_URL: `http://127.0.0.1:${wires.auth.port}`,
    REDIS_URL: `redis://127.0.0.1:${wires.redis.port}`,
    DB_WAIT_MS: '500',
  }
  const first = await startPayments(over)
  return {
    auth,
    redis,
    peek,
    dataDir,
    wires,
    addresses: { ...over, DATABASE_URL: first.databaseUrl },
    async replica(own = {}) {
      const replica = await first.replica(own)
      await untilRedisIsUsed(replica)
      return replica
    },
    newUser: () => newUser(auth.url),
    otherAuth: (own) => startAuth({ DATABASE_URL: authDatabase, REDIS_URL: redis.url, ...own }),
    async logout({ token }) {
      const { status } = await new Client(auth.url).send('POST', '/api/auth/logout', { token })
      expect(status).toBe(204)
    },
    asked: () => askedOf(auth),
    async close() {
      peek.disconnect()
      await first.close()
      await Promise.all([wires.auth.close(), wires.redis.close()])
      await Promise.all([auth.kill(), redis.stop()])
      await rm(dataDir, { recursive: true })
    },
  }
}

async function askedOf(auth: Service): Promise<number> {
  const { body } = await new Client(auth.url).get('/metrics')
  const lines = String(body).match(
    /^http_request_duration_seconds_count\{[^}]*route="\/api\/auth\/validate"[^}]*\} \d+$/gm,
  )
  return (lines ?? []).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** Resolves when each replica has a Redis that it uses. */
export async function untilRedisIsUsed(...replicas: readonly Pick<Payments, 'metric'>[]) {
  const open = 'token_check_breaker_open{dependency="redis"}'
  await until(async () => {
    const left = await Promise.all(replicas.map((replica) => replica.metric(open)))
    return left.every((value) => value === 0)
  })
}

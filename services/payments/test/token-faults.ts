import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startService } from '@malipo/local/process'
import { startRedis } from '@malipo/local/redis'
import { Client } from '@malipo/testing/client'
import { Redis as RedisClient } from 'ioredis'
import { expect } from 'vitest'
import type { User } from './auth.js'
import { environment, metric, type Payments } from './payments.js'
import {
  cacheKeyOf,
  sessionKeyOf,
  type TokenFixture,
  untilRedisCircuitCloses,
} from './token-fixture.js'
import { until } from '@malipo/testing/until'

type Replica = Pick<Payments, 'client' | 'metric' | 'close'>

/** A fault of Redis, auth or a clock. */
export interface Fault {
  /** Runs before the session is revoked. */
  before?(): Promise<unknown>
  /** Causes the fault for these replicas. The tokens of the users in `cached` are in Redis. */
  begin?(replicas: readonly Replica[], cached: readonly User[]): Promise<unknown>
  end?(): Promise<unknown>
  /** Starts a replica that has the fault, in its own process. */
  start?(overrides?: Record<string, string>): Promise<Replica>
}

/** Longer than any test. */
const HANG_MS = 3_600_000

export const faults = {
  'nothing fails': () => ({}),
  'Redis is down': redisDown,
  'Redis takes 200 ms': (fixture) => slow(fixture, { redis: 200 }),
  'Redis hangs': (fixture) => slow(fixture, { redis: HANG_MS }),
  'Redis is flushed': ({ redisClient }) => ({ begin: () => redisClient.flushall() }),
  'Redis comes back empty': (fixture) => ({
    begin: async (replicas) => {
      await fixture.redis.restart()
      await untilRedisCircuitCloses(...replicas)
    },
  }),
  'Redis comes back stale': redisStale,
  'Redis fails over': failover,
  'auth is down': (fixture) => authDown(fixture),
  'auth hangs': (fixture) => slow(fixture, { auth: HANG_MS }),
  'auth takes 1.5 s': (fixture) => slow(fixture, { auth: 1_500 }),
  'both are down': (fixture) => both(redisDown(fixture), authDown(fixture)),
  'both hang': (fixture) => slow(fixture, { redis: HANG_MS, auth: HANG_MS }),
  'Redis 200 ms, auth 1.5 s': (fixture) => slow(fixture, { redis: 200, auth: 1_500 }),
  'Redis 200 ms, auth down': (fixture) => both(slow(fixture, { redis: 200 }), authDown(fixture)),
  'Redis hangs, auth 1.5 s': (fixture) => slow(fixture, { redis: HANG_MS, auth: 1_500 }),
  'the clock is 30 s ahead': (fixture) => shiftedClock(fixture, 30_000),
  'the clock is 30 s behind': (fixture) => shiftedClock(fixture, -30_000),
} satisfies Record<string, (fixture: TokenFixture) => Fault>

function redisDown({ redis }: TokenFixture): Fault {
  return { begin: redis.kill, end: redis.restart }
}

function authDown({ auth, proxies }: TokenFixture): Fault {
  return {
    begin: async () => {
      // Auth keeps running for the next rows of the table: only its port becomes unreachable.
      proxies.auth.retarget(9)
      proxies.auth.cut()
    },
    end: async () => proxies.auth.retarget(auth.port),
  }
}

function both(one: Fault, other: Fault): Fault {
  return {
    begin: async (...to) => {
      await one.begin?.(...to)
      await other.begin?.(...to)
    },
    end: async () => {
      await one.end?.()
      await other.end?.()
    },
  }
}

/** Delays responses by this many milliseconds. */
function slow({ proxies }: TokenFixture, delayMs: { auth?: number; redis?: number }): Fault {
  return {
    begin: async () => {
      proxies.auth.slow(delayMs.auth ?? 0)
      proxies.redis.slow(delayMs.redis ?? 0)
    },
    end: async () => {
      for (const proxy of [proxies.auth, proxies.redis]) {
        proxy.slow(0)
        proxy.cut()
      }
    },
  }
}

/** Redis restarts with a snapshot from before the revocation, which has the entry and the proof. */
function redisStale({ redis, redisClient, dataDir }: TokenFixture): Fault {
  const proofs = new Map<string, string>()
  return {
    before: async () => {
      for (const key of await redisClient.keys('session:*')) {
        proofs.set(key, (await redisClient.get(key)) ?? '')
      }
      await redisClient.save()
    },
    begin: async (replicas, cached) => {
      await redis.kill()
      await redis.restart()
      await untilRedisCircuitCloses(...replicas)
      // Auth publishes recent revocations again after it reconnects. Undo it, as if it had not done so yet.
      await until(async () => (await revocationsIn(redisClient, cached)) > 0)
      for (const key of cached.map(sessionKeyOf)) {
        await redisClient.set(key, proofs.get(key) ?? '', 'PX', 60_000)
      }
      await expectNoRevocation(redisClient, cached)
    },
    end: () => rm(join(dataDir, 'dump.rdb')),
  }
}

/** A replica of Redis is promoted although it has not received the last writes. */
function failover({ redis, proxies, redisClient }: TokenFixture): Fault {
  let promoted: Awaited<ReturnType<typeof startRedis>>
  return {
    before: async () => {
      promoted = await startRedis()
      const admin = new RedisClient(promoted?.url ?? '')
      await admin.replicaof('127.0.0.1', redis.port)
      await until(async () => (await admin.info('replication')).includes('link_status:up'))
      expect(await admin.dbsize()).toBe(await redisClient.dbsize())
      await admin.replicaof('NO', 'ONE')
      admin.disconnect()
    },
    begin: async (replicas, cached) => {
      proxies.redis.retarget(promoted?.port ?? 0)
      proxies.redis.cut()
      const admin = new RedisClient(promoted?.url ?? '')
      await until(async () => {
        const subscribers = String(await admin.client('LIST', 'TYPE', 'PUBSUB')).match(/^id=/gm)
        // The fixture's first replica, which is not in `replicas`, is subscribed too.
        return subscribers?.length === replicas.length + 1
      })
      await untilRedisCircuitCloses(...replicas)
      await expectNoRevocation(admin, cached)
      admin.disconnect()
    },
    end: async () => {
      proxies.redis.retarget(redis.port)
      proxies.redis.cut()
      await promoted?.stop()
    },
  }
}

/** Starts a replica in its own process, with a clock that is shifted by `shiftMs`. */
function shiftedClock({ addresses }: TokenFixture, shiftMs: number) {
  const script = `const now = Date.now; Date.now = () => now() + ${shiftMs}`
  const NODE_OPTIONS = `--import="data:text/javascript,${encodeURIComponent(script)}"`
  return {
    start: async (overrides: Record<string, string> = {}) => {
      const env = { ...environment(addresses), ...overrides, NODE_OPTIONS }
      const service = await startService({ name: 'payments', env })
      const client = new Client(service.url)
      const replica = {
        client,
        metric: (line: string) => metric(client, line),
        close: async () => void (await service.stop()),
      }
      await untilRedisCircuitCloses(replica)
      return replica
    },
  }
}

/** Checks the precondition of a fault: Redis has the cached entries with proofs, and no revocation. */
async function expectNoRevocation(redisClient: RedisClient, cached: readonly User[]) {
  expect(await redisClient.exists(cached.map(cacheKeyOf))).toBe(cached.length)
  expect(await redisClient.exists(cached.map(sessionKeyOf))).toBe(cached.length)
  expect(await revocationsIn(redisClient, cached)).toBe(0)
}

async function revocationsIn(redisClient: RedisClient, users: readonly User[]) {
  const values = await redisClient.mget(users.map(sessionKeyOf))
  return values.filter((value) => value?.startsWith('revoked:')).length
}

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startService } from '@malipo/local/process'
import { startRedis } from '@malipo/local/redis'
import { Client } from '@malipo/testing/client'
import { Redis as RedisClient } from 'ioredis'
import { expect } from 'vitest'
import type { User } from './auth.js'
import { environment, metric, type Payments } from './payments.js'
import { keyOf, sidOf, type Stage, untilRedisIsUsed } from './token-stage.js'
import { until } from './until.js'

type Replica = Pick<Payments, 'client' | 'metric' | 'close'>

/** What a fault does, before a session ends, when it happens, and when it is over. */
export interface Fault {
  before?(): Promise<unknown>
  /** Replicas that see it, and users whose tokens are known. */
  begin?(replicas: readonly Replica[], known: readonly User[]): Promise<unknown>
  end?(): Promise<unknown>
  /** Starts a replica, where it is not one of the usual ones. */
  start?(own?: Record<string, string>): Promise<Replica>
}

const HANGS_MS = 3_600_000

/** Each fault by what happens. */
export const faults = {
  'nothing fails': () => ({}),
  'Redis is down': redisDown,
  'Redis takes 200 ms': (stage) => slow(stage, { redis: 200 }),
  'Redis hangs': (stage) => slow(stage, { redis: HANGS_MS }),
  'Redis is flushed': ({ peek }) => ({ begin: () => peek.flushall() }),
  'Redis comes back empty': (stage) => ({
    begin: async (replicas) => {
      await stage.redis.restart()
      await untilRedisIsUsed(...replicas)
    },
  }),
  'Redis comes back stale': redisStale,
  'Redis fails over': failover,
  'auth is down': (stage) => authDown(stage),
  'auth hangs': (stage) => slow(stage, { auth: HANGS_MS }),
  'auth takes 1.5 s': (stage) => slow(stage, { auth: 1_500 }),
  'both are down': (stage) => both(redisDown(stage), authDown(stage)),
  'both hang': (stage) => slow(stage, { redis: HANGS_MS, auth: HANGS_MS }),
  'Redis 200 ms, auth 1.5 s': (stage) => slow(stage, { redis: 200, auth: 1_500 }),
  'Redis 200 ms, auth down': (stage) => both(slow(stage, { redis: 200 }), authDown(stage)),
  'Redis hangs, auth 1.5 s': (stage) => slow(stage, { redis: HANGS_MS, auth: 1_500 }),
  'clock 30 s ahead': (stage) => otherClock(stage, 30_000),
  'clock 30 s behind': (stage) => otherClock(stage, -30_000),
} satisfies Record<string, (stage: Stage) => Fault>

function redisDown({ redis }: Stage): Fault {
  return { begin: redis.kill, end: redis.restart }
}

function authDown({ auth, wires }: Stage): Fault {
  return {
    begin: async () => {
      // The process goes on for the rows to come: its port is what is gone.
      wires.auth.retarget(9)
      wires.auth.cut()
    },
    end: async () => wires.auth.retarget(auth.port),
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

/** Answers come so many ms later. */
function slow({ wires }: Stage, late: { auth?: number; redis?: number }): Fault {
  return {
    begin: async () => {
      wires.auth.slow(late.auth ?? 0)
      wires.redis.slow(late.redis ?? 0)
    },
    end: async () => {
      for (const wire of [wires.auth, wires.redis]) {
        wire.slow(0)
        wire.cut()
      }
    },
  }
}

/** What was saved before the session ended is there again: its entry, and no mark. */
function redisStale({ redis, peek, dataDir }: Stage): Fault {
  return {
    before: () => peek.save(),
    begin: async (replicas, known) => {
      await redis.kill()
      await redis.restart()
      await untilRedisIsUsed(...replicas)
      // Auth tells all ends again as soon as it is connected: here it does not come to it in time.
      const marks = known.map((user) => `revoked:${sidOf(user)}`)
      await until(async () => (await peek.del(marks)) > 0)
      await expectUnmarked(peek, known)
    },
    end: () => rm(join(dataDir, 'dump.rdb')),
  }
}

/** A replica of Redis that lacks what was written last takes over. */
function failover({ redis, wires, peek }: Stage): Fault {
  let promoted: Awaited<ReturnType<typeof startRedis>>
  return {
    before: async () => {
      promoted = await startRedis()
      const admin = new RedisClient(promoted?.url ?? '')
      await admin.replicaof('127.0.0.1', redis.port)
      await until(async () => (await admin.info('replication')).includes('link_status:up'))
      expect(await admin.dbsize()).toBe(await peek.dbsize())
      await admin.replicaof('NO', 'ONE')
      admin.disconnect()
    },
    begin: async (replicas, known) => {
      wires.redis.retarget(promoted?.port ?? 0)
      wires.redis.cut()
      const admin = new RedisClient(promoted?.url ?? '')
      await until(async () => {
        const listeners = String(await admin.client('LIST', 'TYPE', 'PUBSUB')).match(/^id=/gm)
        // The stage has a replica of its own besides.
        return listeners?.length === replicas.length + 1
      })
      await untilRedisIsUsed(...replicas)
      await expectUnmarked(admin, known)
      admin.disconnect()
    },
    end: async () => {
      wires.redis.retarget(redis.port)
      wires.redis.cut()
      await promoted?.stop()
    },
  }
}

/** A clock of this fault's replicas that is off by so much: each is a process of its own. */
function otherClock({ addresses }: Stage, offMs: number) {
  const script = `const now = Date.now; Date.now = () => now() + ${offMs}`
  const NODE_OPTIONS = `--import="data:text/javascript,${encodeURIComponent(script)}"`
  return {
    start: async (own: Record<string, string> = {}) => {
      const env = { ...environment(addresses), ...own, NODE_OPTIONS }
      const service = await startService({ name: 'payments', env })
      const client = new Client(service.url)
      const replica = {
        client,
        metric: (line: string) => metric(client, line),
        close: async () => void (await service.stop()),
      }
      await untilRedisIsUsed(replica)
      return replica
    },
  }
}

/** The entries are there, and no mark says that one of them is over: the trap that a fault has set. */
async function expectUnmarked(peek: RedisClient, known: readonly User[]) {
  expect(await peek.exists(known.map(keyOf))).toBe(known.length)
  expect(await peek.exists(known.map((user) => `revoked:${sidOf(user)}`))).toBe(0)
}

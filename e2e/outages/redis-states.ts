import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Redis, startRedis } from '@malipo/local/redis'
import { EVICTION_POLICIES } from '@malipo/testing/eviction-policies'
import { Redis as RedisClient } from 'ioredis'
import { eventually } from '../cluster.ts'
import { freeze, thaw } from '../processes/freeze.ts'
import type { Cell } from './cell.ts'
import { type Platform, REDIS_FOLDER } from './platform.ts'

/** States of a Redis that is up, but evicts, refuses, lags or hangs. */

/** Commands that an ACL refuses, as rules of the services' user. */
const REFUSED: readonly (readonly [string, ...string[]])[] = [
  ['MULTI', '-multi'],
  ['TIME', '-time'],
  ['SUBSCRIBE', '-subscribe', '-psubscribe'],
  ['INFO', '-info'],
  ['channels', 'resetchannels'],
  ['keys', 'resetkeys'],
]
const EVICTED_SESSIONS = 200
const FREEZE_MS = 20_000
const PAUSE_MS = 6_000
const FILL_MS = 5_000
/** Keys of another application in the same Redis; half of them expire. */
const OTHER = 'other:'
const JUNK = 'x'.repeat(500)
const EXPIRY_S = 3_600
const SPARE_BYTES = 200_000

/** Repeats something during the outage. */
function repeated(everyMs: number, action: (platform: Platform) => Promise<unknown>) {
  let stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  return {
    inject: (platform: Platform) => {
      const { signal } = (stop = new AbortController())
      const repeat = async () => {
        while (!signal.aborted) {
          // The state itself may refuse the connection.
          await action(platform).catch(() => undefined)
          await sleep(everyMs)
        }
      }
      running = repeat()
    },
    repair: () => {
      stop.abort()
      return running
    },
  }
}

/** Fills Redis until it has evicted half of the services' keys, or refuses to store more. */
async function fill(platform: Platform, policy: string) {
  const client = platform.servers.redisClient()
  try {
    const used = /used_memory:(\d+)/.exec(await client.info('memory'))?.[1]
    await client.config('SET', 'maxmemory-policy', policy)
    await client.config('SET', 'maxmemory', Number(used) + SPARE_BYTES)
    const own = (await client.dbsize()) / 2
    for (const end = Date.now() + FILL_MS; Date.now() < end;) {
      const batch = client.pipeline()
      for (let n = 0; n < 20; n++) batch.set(`${OTHER}${randomUUID()}`, JUNK, 'EX', EXPIRY_S)
      for (let n = 0; n < 20; n++) batch.set(`${OTHER}${randomUUID()}`, JUNK)
      const results = await batch.exec()
      if (results?.every(([error]) => error)) return
      const keys = await client.keys('*')
      if (keys.filter((key) => !key.startsWith(OTHER)).length <= own) return
    }
  } finally {
    client.disconnect()
  }
}

async function empty(platform: Platform) {
  await platform.servers.redisCommand('CONFIG', 'SET', 'maxmemory', 0)
  await platform.servers.redisCommand('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
  await platform.servers.redisCommand('FLUSHALL')
}

const evictions: readonly Cell[] = EVICTION_POLICIES.map((policy) => ({
  name: `Redis: full, ${policy}`,
  inject: (platform) => fill(platform, policy),
  repair: empty,
  loggedOut: EVICTED_SESSIONS,
  withFreshReplica: true,
  holdMs: 1_000,
  short: policy === 'volatile-ttl',
}))

const refusals: readonly Cell[] = REFUSED.map(([command, ...rules]) => ({
  name: `Redis: ACL refuses ${command}`,
  inject: async (platform) => {
    await platform.servers.redisCommand('ACL', 'SETUSER', 'default', ...rules)
    await platform.servers.redisCommand('CLIENT', 'KILL', 'USER', 'default')
  },
  repair: (platform) =>
    platform.servers.redisCommand('ACL', 'SETUSER', 'default', 'allkeys', 'allchannels', '+@all'),
}))

let lagging: Redis | undefined

/** Copies the data to another server, which then gets no further changes. */
async function copyToLagging(platform: Platform) {
  lagging = await startRedis({
    settings: { replicaof: `127.0.0.1 ${platform.servers.redis.port}` },
  })
  const copy = new RedisClient(lagging?.port ?? 0, '127.0.0.1')
  await eventually('the copy', async () => {
    const info = await copy.call('INFO', 'replication')
    if (!String(info).includes('master_link_status:up')) throw new Error(String(info))
  })
  await copy.call('REPLICAOF', 'NO', 'ONE')
  copy.disconnect()
}

let frozen: readonly number[] = []
const freezeRedis = async (platform: Platform) => {
  const info = String(await platform.servers.redisCommand('INFO', 'server'))
  frozen = freeze([Number(/process_id:(\d+)/.exec(info)?.[1])])
}

export const REDIS_CELLS: readonly Cell[] = [
  ...evictions,
  ...refusals,
  {
    name: 'Redis: frozen for 20 s',
    inject: freezeRedis,
    repair: () => thaw(frozen),
    holdMs: FREEZE_MS,
  },
  {
    name: 'auth: frozen for 20 s',
    inject: (platform) => freeze([platform.replica('auth', 'A').pid]),
    repair: (platform) => thaw([platform.replica('auth', 'A').pid]),
    holdMs: FREEZE_MS,
    onlyA: true,
    withoutAuthA: true,
  },
  {
    name: 'Redis: flushed twice a second',
    ...repeated(500, (platform) => platform.servers.redisCommand('FLUSHALL')),
    served: true,
  },
  {
    name: 'Redis: REPLICAOF a lagging server',
    beforeLogouts: copyToLagging,
    inject: (platform) =>
      platform.servers.redisCommand('REPLICAOF', '127.0.0.1', lagging?.port ?? 0),
    repair: async (platform) => {
      await platform.servers.redisCommand('REPLICAOF', 'NO', 'ONE')
      await lagging?.stop()
    },
    withFreshReplica: true,
    short: true,
  },
  {
    name: 'Redis: down',
    inject: ({ servers: { redis } }) => redis.stop(),
    repair: async ({ servers: { redis } }) => {
      await rm(`${REDIS_FOLDER}/dump.rdb`, { force: true })
      await redis.restart()
    },
  },
  {
    name: 'Redis: killed and restarted empty',
    inject: async ({ servers: { redis } }) => {
      await rm(`${REDIS_FOLDER}/dump.rdb`, { force: true })
      await redis.kill()
      await redis.restart()
    },
    repair: () => undefined,
    served: true,
    holdMs: 2_000,
  },
  {
    name: 'Redis: killed and restarted with old data',
    beforeLogouts: (platform) => platform.servers.redisCommand('SAVE'),
    inject: async ({ servers: { redis } }) => {
      await redis.kill()
      await redis.restart()
    },
    repair: () => rm(`${REDIS_FOLDER}/dump.rdb`, { force: true }),
    served: true,
    holdMs: 2_000,
  },
  {
    name: 'Redis: cut after the handshake',
    ...repeated(50, (platform) =>
      platform.servers.redisCommand('CLIENT', 'KILL', 'USER', 'default'),
    ),
  },
  {
    name: 'Redis: hangs (CLIENT PAUSE)',
    inject: (platform) => platform.servers.redisCommand('CLIENT', 'PAUSE', PAUSE_MS, 'ALL'),
    repair: () => undefined,
    holdMs: PAUSE_MS,
  },
]

import { startTestRedis } from '@malipo/testing/redis'
import { Redis as Client } from 'ioredis'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readEnv } from '../config/env.js'
import { checkRedis } from '../config/redis-settings.js'
import { redisVariables } from '../config/variables.js'
import { aclRules, type RedisAccess } from './redis-access.js'
import { Redis } from './redis.js'

const ACCESS: RedisAccess = {
  keys: ['a:*'],
  channels: ['news'],
  needs: [
    { command: ['subscribe', 'news'], without: 'nothing is received' },
    { command: ['exec'], without: 'nothing is written' },
    { command: ['multi'], without: 'nothing is written' },
    { command: ['set', 'a:check', '0'], without: 'nothing is written' },
    { command: ['publish', 'news', ''], without: 'nothing is published' },
  ],
  whenFull: 'nothing is written',
}

interface Line {
  readonly level: number
  readonly msg: string
}

/** Starts a client with this access, and collects what it logs. */
async function start(url: string, access = ACCESS) {
  const lines: Line[] = []
  const log = pino(
    { level: 'debug' },
    { write: (text: string) => void lines.push(JSON.parse(text) as Line) },
  )
  const env = readEnv({ REDIS_URL: url }, redisVariables, checkRedis)
  const redis = new Redis(env, log, 1_000, access)
  const subscription = redis.subscribe(
    'news',
    () => undefined,
    () => undefined,
  )
  redis.onApplicationBootstrap()
  onTestFinished(() => redis.onApplicationShutdown())
  const logged = (level: number) =>
    lines.filter((line) => line.level === level).map(({ msg }) => msg)
  return { redis, subscription, logged }
}

const withUser = async (rules: string) => {
  const { port } = await startTestRedis({ settings: { user: `app on >secret ${rules}` } })
  return `redis://app:secret@127.0.0.1:${port}`
}

/** Changes the rights of the user, as an administrator. */
async function changeRights(url: string, ...rules: string[]) {
  const admin = new Client(Number(new URL(url).port), '127.0.0.1')
  await admin.call('ACL', 'SETUSER', 'app', ...rules)
  admin.disconnect()
}

describe('at the first connection', () => {
  it('a user with exactly the documented rights causes no warning', async () => {
    const { redis, subscription, logged } = await start(await withUser(aclRules(ACCESS)))
    await expect.poll(() => redis.isUp && subscription.isLive).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(logged(40)).toEqual([])
    expect(redis.problem).toBeUndefined()
  })

  it.each([
    ['-set', 'SET a:check: nothing is written'],
    ['-multi', 'MULTI: nothing is written'],
    ['-exec -set', 'EXEC, SET a:check: nothing is written'],
    ['resetchannels', 'SUBSCRIBE news, PUBLISH news: nothing is received; nothing is published'],
    ['resetkeys ~b:*', 'SET a:check: nothing is written'],
    [
      '-info -publish',
      'INFO replication, PUBLISH news: a changed data set and a demoted primary are not recognised; nothing is published',
    ],
  ])('one line names what the user may not do with %s', async (without, names) => {
    const url = await withUser(`~a:* &news +@all ${without}`)
    const { redis, logged } = await start(url)
    await expect.poll(() => logged(40), { timeout: 5_000 }).not.toEqual([])
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(logged(40)).toEqual([`the Redis user may not run ${names} (see docs/configuration.md)`])
    expect(redis.problem).toBe('missing right')
  })

  it('a server in cluster mode is named', async () => {
    const { url } = await startTestRedis({
      settings: { 'cluster-enabled': 'yes', 'cluster-config-file': clusterFile() },
    })
    const { logged } = await start(url)
    await expect
      .poll(() => logged(40), { timeout: 5_000 })
      .toContain('Redis runs in cluster mode, which is not supported: use Sentinels or one server')
  })

  it.each([
    ['noeviction', 40, 'when Redis is full, nothing is written'],
    ['allkeys-lru', 30, 'when Redis is full, evicted tokens are validated by auth again'],
    ['volatile-ttl', 30, 'when Redis is full, evicted tokens are validated by auth again'],
  ])('the policy %s is logged with its effect', async (policy, level, effect) => {
    const { url } = await startTestRedis({
      settings: { maxmemory: '100mb', 'maxmemory-policy': policy },
    })
    const { logged } = await start(url)
    await expect
      .poll(() => logged(level), { timeout: 5_000 })
      .toContain(`maxmemory-policy is ${policy}: ${effect}`)
  })

  it('nothing is logged of the policy if the memory has no limit', async () => {
    const { url } = await startTestRedis({ settings: {} })
    const { redis, logged } = await start(url)
    await expect.poll(() => redis.isUp).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect([...logged(30), ...logged(40)].join()).not.toContain('policy')
  })
})

it('evicted keys are counted', async () => {
  const { url } = await startTestRedis({
    settings: { maxmemory: '2mb', 'maxmemory-policy': 'allkeys-random' },
  })
  const { redis } = await start(url)
  await expect.poll(() => redis.evictedKeys).toBe(0)
  const value = 'x'.repeat(10_000)
  for (let i = 0; i < 400; i++) await redis.set(`a:${i}`, value, 60_000)
  await expect.poll(() => redis.evictedKeys, { timeout: 15_000 }).toBeGreaterThan(0)
})

const clusterFile = () => `nodes-${process.pid}.conf`

describe('a right that is lost later', () => {
  it('is named in one line, and its return in another, each time', async () => {
    const url = await withUser(aclRules(ACCESS))
    const { redis, logged } = await start(url)
    const isStored = async () => (await redis.set('a:1', 'value', 1_000)) === 'OK'
    await expect.poll(isStored).toBe(true)
    for (let times = 1; times <= 2; times++) {
      await changeRights(url, '-set')
      for (let i = 0; i < 3; i++) expect(await isStored()).toBe(false)
      await expect.poll(() => logged(40)).toHaveLength(times)
      expect(redis.problem).toBe('missing right')
      await changeRights(url, '+set')
      await expect.poll(() => logged(30), { timeout: 10_000 }).toHaveLength(times)
      expect(redis.problem).toBeUndefined()
    }
    const names = 'SET a:check: nothing is written (see docs/configuration.md)'
    expect(new Set(logged(40))).toEqual(new Set([`the Redis user may not run ${names}`]))
    expect(new Set(logged(30))).toEqual(new Set(['the Redis user may run every command again']))
  }, 30_000)

  it('is logged once, without further checks, if it is none that the check covers', async () => {
    const url = await withUser(aclRules(ACCESS))
    const { redis, logged } = await start(url)
    await expect.poll(async () => redis.set('a:1', 'value', 1_000)).toBe('OK')
    const admin = new Client(Number(new URL(url).port), '127.0.0.1')
    onTestFinished(() => admin.disconnect())
    const connections = async () =>
      Number(/total_connections_received:(\d+)/.exec(await admin.info('stats'))?.[1])
    const before = await connections()
    for (let i = 0; i < 20; i++) expect(await redis.set('b:1', 'value', 1_000)).toBeUndefined()
    await expect.poll(() => logged(40)).toEqual(['Redis rejected a command'])
    expect((await connections()) - before).toBeLessThanOrEqual(1)
    expect(redis.problem).toBeUndefined()
  })
})

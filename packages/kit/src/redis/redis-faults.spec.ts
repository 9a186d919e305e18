import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTestRedis } from '@malipo/testing/redis'
import { startProxy } from '@malipo/testing/proxy'
import { Redis as Admin } from 'ioredis'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readEnv } from '../config/env.js'
import { checkRedis } from '../config/redis-settings.js'
import { redisVariables } from '../config/variables.js'
import { errorForLog } from '../telemetry/logger.js'
import { Redis } from './redis.js'

/** Outages in which no connection is refused, against real Redis servers. */

async function proxyTo(port: number) {
  const proxy = await startProxy(port)
  onTestFinished(() => proxy.close())
  return proxy
}

function adminOf(url: string): Admin {
  const admin = new Admin(url)
  onTestFinished(() => admin.disconnect())
  return admin
}

interface Line {
  readonly level: number
  readonly msg: string
  readonly err?: { readonly message: string }
}

/** A client with a subscription, what it logs at `info` or above, the messages and the losses it received. */
function start(url: string) {
  const lines: Line[] = []
  const messages: string[] = []
  const state = { losses: 0, datasets: 0 }
  const log = pino(
    { level: 'info', serializers: { err: errorForLog } },
    { write: (text: string) => void lines.push(JSON.parse(text) as Line) },
  )
  const redis = new Redis(readEnv({ REDIS_URL: url }, redisVariables, checkRedis), log, 100)
  const subscription = redis.subscribe(
    'news',
    (message) => void messages.push(message),
    () => state.losses++,
  )
  redis.onDataset(() => state.datasets++)
  redis.onApplicationBootstrap()
  onTestFinished(() => redis.onApplicationShutdown())
  const logged = () => lines.map(({ msg, err }) => (err ? `${msg}: ${err.message}` : msg))
  return { redis, subscription, messages, state, logged }
}

type Started = ReturnType<typeof start>

const isReady = ({ redis, subscription }: Started) => redis.isUp && subscription.isLive
const ready = (started: Started) =>
  expect.poll(() => isReady(started), { timeout: 10_000 }).toBe(true)

const datasetOf = async (redis: Redis) => (await redis.read(['key']))?.dataset

const publication = { key: 'key', value: 'value', ttlMs: 60_000, message: 'hello' }

describe('connections that die without a packet', () => {
  it('are replaced within seconds, with two lines in the log', async () => {
    const proxy = await proxyTo((await startTestRedis()).port)
    const started = start(`redis://127.0.0.1:${proxy.port}`)
    await ready(started)
    const { redis, messages, state, logged } = started
    const { losses, datasets } = state
    proxy.lose(false)
    await expect.poll(() => state.losses, { timeout: 10_000 }).toBeGreaterThan(losses)
    await ready(started)
    expect(state.datasets).toBeGreaterThan(datasets)
    expect(await redis.setAndPublish('news', [publication])).toBe('OK')
    await expect.poll(() => messages).toEqual(['hello'])
    await expect
      .poll(logged, { timeout: 10_000 })
      .toEqual([
        expect.stringMatching(/^Redis is unavailable: Socket timeout/),
        'Redis is available again',
      ])
  })

  it('delay a write until a new connection executes it', async () => {
    const proxy = await proxyTo((await startTestRedis()).port)
    const started = start(`redis://127.0.0.1:${proxy.port}`)
    await ready(started)
    proxy.lose(false)
    await sleep(1_600)
    expect(await started.redis.setAndPublish('news', [publication])).toBe('OK')
  })
})

describe('a server that becomes a replica by hand', () => {
  it('is left, and its data set is announced when it is a primary again', async () => {
    const other = await startTestRedis({ settings: { 'repl-diskless-sync-delay': '0' } })
    const own = await startTestRedis()
    const started = start(own.url)
    await ready(started)
    const { redis, state, logged } = started
    const dataset = await datasetOf(redis)
    await redis.set('key', 'of the first data set', 60_000)
    const admin = adminOf(own.url)
    await admin.replicaof('127.0.0.1', other.port)
    await expect.poll(() => redis.problem).toBe('read-only')
    expect(await redis.read(['key'])).toBeUndefined()
    await expect
      .poll(() => admin.info('replication'), { timeout: 20_000 })
      .toContain('master_link_status:up')
    const { datasets, losses } = state
    await admin.replicaof('NO', 'ONE')
    await ready(started)
    expect(await datasetOf(redis)).toMatch(/^\w{40}:\w{40}$/)
    expect(await datasetOf(redis)).not.toBe(dataset)
    expect(state.datasets).toBeGreaterThan(datasets)
    expect(state.losses).toBeGreaterThan(losses)
    await expect.poll(() => redis.problem, { timeout: 5_000 }).toBeUndefined()
    expect(await redis.read(['key'])).toMatchObject({ values: [null] })
    await expect
      .poll(logged, { timeout: 5_000 })
      .toEqual([
        expect.stringMatching(/^Redis is unavailable: READONLY/),
        'Redis is available again',
      ])
  })

  it('announces its new data set also if no heartbeat has met the replica', async () => {
    const [own, other] = [await startTestRedis(), await startTestRedis()]
    const started = start(own.url)
    await ready(started)
    const { datasets } = started.state
    const dataset = await datasetOf(started.redis)
    const admin = adminOf(own.url)
    await admin.replicaof('127.0.0.1', other.port)
    await admin.replicaof('NO', 'ONE')
    await expect.poll(() => started.state.datasets, { timeout: 5_000 }).toBeGreaterThan(datasets)
    expect(await datasetOf(started.redis)).not.toBe(dataset)
  })
})

describe('connection attempts', () => {
  it('are not caused by a refused SUBSCRIBE, which is logged once', async () => {
    const { port, url } = await startTestRedis({
      settings: { user: 'app on >secret ~* resetchannels +@all' },
    })
    const { redis, subscription, logged } = start(`redis://app:secret@127.0.0.1:${port}`)
    await expect.poll(() => redis.isUp).toBe(true)
    const admin = adminOf(url)
    const connections = async () =>
      Number(/total_connections_received:(\d+)/.exec(await admin.info('stats'))?.[1])
    const before = await connections()
    await sleep(3_000)
    expect(await connections()).toBe(before)
    expect(subscription.isLive).toBe(false)
    expect(logged()).toEqual([expect.stringMatching(/^Redis rejected a command: NOPERM/)])
  })

  it('follow one another ever more slowly if the server closes each connection', async () => {
    let connections = 0
    const closing = createServer((socket) => {
      connections++
      socket.on('error', () => undefined)
      // Replies to HELLO, so that the connection is ready, then closes it.
      socket.on('data', (data) => {
        if (data.includes('hello')) socket.write('+OK\r\n')
        else socket.destroy()
      })
    })
    await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => closing.close(() => resolve())))
    const { logged } = start(`redis://127.0.0.1:${(closing.address() as AddressInfo).port}`)
    await sleep(3_000)
    const before = connections
    await sleep(4_000)
    // Two connections, each at most once per 0.9 s.
    expect(connections - before).toBeLessThanOrEqual(10)
    expect(connections - before).toBeGreaterThan(0)
    expect(logged().filter((line) => line.startsWith('Redis is unavailable'))).toHaveLength(1)
  })
})

describe('a write that is published', () => {
  it('waits for a reply for up to 2 s, and a read for less', async () => {
    const proxy = await proxyTo((await startTestRedis()).port)
    const started = start(`redis://127.0.0.1:${proxy.port}`)
    await ready(started)
    proxy.slow(1_000)
    const begunAt = performance.now()
    expect(await started.redis.read(['key'])).toBeUndefined()
    expect(performance.now() - begunAt).toBeLessThan(1_000)
    expect(await started.redis.setAndPublish('news', [publication])).toBe('OK')
  })

  it('is sent again over the connection that replaces a broken one', async () => {
    const { port } = await startTestRedis()
    const proxy = await proxyTo(port)
    const started = start(`redis://127.0.0.1:${proxy.port}`)
    await ready(started)
    proxy.cut()
    expect(await started.redis.setAndPublish('news', [publication])).toBe('OK')
  })

  it('waits for a connection for up to 2 s, and not at all if the outage is older', async () => {
    const redis = await startTestRedis()
    const started = start(redis.url)
    await ready(started)
    await redis.kill()
    const timed = async () => {
      const begunAt = performance.now()
      expect(await started.redis.setAndPublish('news', [publication])).toBeUndefined()
      return performance.now() - begunAt
    }
    await sleep(100)
    expect(await timed()).toBeGreaterThan(1_000)
    await sleep(200)
    expect(await timed()).toBeLessThan(500)
  })
})

it('a slow Redis is named, and logged with two lines', async () => {
  const proxy = await proxyTo((await startTestRedis()).port)
  const started = start(`redis://127.0.0.1:${proxy.port}`)
  await ready(started)
  proxy.slow(250)
  await expect.poll(() => started.redis.problem, { timeout: 10_000 }).toBe('slow')
  expect(started.redis.isUp).toBe(true)
  proxy.slow(0)
  await expect.poll(() => started.redis.problem, { timeout: 10_000 }).toBeUndefined()
  await expect
    .poll(started.logged, { timeout: 10_000 })
    .toEqual([
      expect.stringMatching(/^Redis is unavailable: Replies take \d+ ms/),
      'Redis is available again',
    ])
})

it('a full Redis is named, and its words are logged', async () => {
  const { url } = await startTestRedis({
    settings: { maxmemory: '1mb', 'maxmemory-policy': 'noeviction' },
  })
  const started = start(url)
  await ready(started)
  expect(await started.redis.setAndPublish('news', [publication])).toBeUndefined()
  expect(started.redis.problem).toBe('full')
  expect(started.logged()).toEqual([expect.stringMatching(/^Redis is unavailable: OOM command/)])
})

it('connections that are cut again and again cause two warnings at most', async () => {
  const proxy = await proxyTo((await startTestRedis()).port)
  const started = start(`redis://127.0.0.1:${proxy.port}`)
  await ready(started)
  const outages = () => started.logged().filter((line) => line.startsWith('Redis is unavailable'))
  for (let i = 0; i < 6; i++) {
    // Lost connections are replaced after 2 s, and are then stable for more than a second.
    proxy.lose(false)
    await sleep(4_500)
  }
  await ready(started)
  expect(outages().length).toBeGreaterThan(0)
  expect(outages().length).toBeLessThanOrEqual(2)
}, 60_000)

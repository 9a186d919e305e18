import { type Redis as RedisServer, startRedis } from '@malipo/local/redis'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, newPerson, newUser, type Person, startAuth } from './auth.js'

let server: RedisServer
let proxy: Proxy
let admin: Redis
let auth: Auth
let user: Person

beforeAll(async () => {
  const started = await startRedis()
  if (!started) throw new Error('no redis-server on the PATH')
  server = started
  proxy = await startProxy(server.port)
  admin = new Redis(server.url)
  auth = await startAuth({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
  user = await newUser(auth.client)
})
afterAll(async () => {
  admin.disconnect()
  await auth.close()
  await proxy.close()
  await server.stop()
})

async function statusOf({ phone, password } = user) {
  return (await auth.client.post('/api/auth/login', { phone, password })).status
}

async function logins(count: number) {
  for (let i = 0; i < count; i++) expect(await statusOf()).toBe(200)
}

/** Each login counts an attempt and takes it back, with one script each. @returns the number of scripts */
async function scriptsDuring(work: () => Promise<unknown>) {
  await admin.config('RESETSTAT')
  await work()
  const stats = await admin.info('commandstats')
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}

const counted = async () => (await admin.keys('auth:login-network:*')).length

describe('with a Redis that takes 200 ms for each reply', () => {
  afterEach(() => proxy.slow(0))

  it('most of sixty concurrent logins do not wait for it', async () => {
    await logins(1)
    proxy.slow(200)
    const work = async () => {
      const statuses = await Promise.all(Array.from({ length: 60 }, () => statusOf()))
      expect(statuses).toEqual(Array(60).fill(200))
    }
    expect(await scriptsDuring(work)).toBeLessThan(30)
    expect(await scriptsDuring(() => logins(10))).toBeLessThan(10)
  })

  it('logins count in Redis again when it is fast again', async () => {
    proxy.slow(200)
    await logins(3)
    await admin.flushall()
    proxy.slow(0)
    const failed = async () => {
      const { phone, password } = newPerson()
      expect(await statusOf({ ...user, phone, password })).toBe(401)
      return counted()
    }
    await expect.poll(failed, { timeout: 10_000, interval: 200 }).toBeGreaterThan(0)
  })
})

it('with a hanging Redis, only the first logins wait for it', async () => {
  await admin.flushall()
  // The circuit is closed again when a login is counted in Redis.
  await expect.poll(async () => (await logins(1), counted()), { timeout: 10_000 }).toBe(1)
  const work = async () => {
    await admin.client('PAUSE', 4_000, 'ALL')
    await logins(30)
  }
  expect(await scriptsDuring(work)).toBeLessThan(15)
})

it('a login that succeeds leaves no count in a Redis that executed its command too late', async () => {
  await admin.flushall()
  // The circuit is closed again when a login is counted in Redis.
  await expect.poll(async () => (await logins(1), counted()), { timeout: 10_000 }).toBe(1)
  await admin.flushall()
  await admin.client('PAUSE', 500, 'ALL')
  await logins(1)
  const counts = async () => {
    const keys = await admin.keys('auth:login-network:*')
    return keys.length > 0 ? await admin.mget(...keys) : []
  }
  await expect.poll(counts, { timeout: 10_000 }).toEqual(['0'])
})

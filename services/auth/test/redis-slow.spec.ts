import { type Redis as RedisServer, startRedis } from '@malipo/local/redis'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, newPerson, newUser, type Person, startAuth } from './auth.js'

/** How long a request waits for each of its counts in Redis. */
const WAIT_MS = 80

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

/** @returns the status of a login and its duration */
async function timedLogin({ phone, password } = user) {
  const begunAt = performance.now()
  const { status } = await auth.client.post('/api/auth/login', { phone, password })
  return { status, ms: performance.now() - begunAt }
}

async function logins(count: number) {
  const results = []
  for (let i = 0; i < count; i++) results.push(await timedLogin())
  expect(results.map(({ status }) => status)).toEqual(Array(count).fill(200))
  return results.map(({ ms }) => ms)
}

const counted = async () => (await admin.keys('auth:login-network:*')).length

describe('with a Redis that takes 200 ms for each reply', () => {
  afterEach(() => proxy.slow(0))

  it('sixty concurrent logins do not wait for it one after the other', async () => {
    await logins(1)
    proxy.slow(200)
    const begunAt = performance.now()
    const results = await Promise.all(Array.from({ length: 60 }, () => timedLogin()))
    expect(results.map(({ status }) => status)).toEqual(Array(60).fill(200))
    // Two at a time that wait for one reply each would take 6 s.
    expect(performance.now() - begunAt).toBeLessThan(3_000)
    expect(Math.min(...(await logins(10)))).toBeLessThan(WAIT_MS)
  })

  it('logins count in Redis again when it is fast again', async () => {
    proxy.slow(200)
    await logins(3)
    await admin.flushall()
    proxy.slow(0)
    const failed = async () => {
      const { phone, password } = newPerson()
      expect((await timedLogin({ ...user, phone, password })).status).toBe(401)
      return counted()
    }
    await expect.poll(failed, { timeout: 10_000, interval: 200 }).toBeGreaterThan(0)
  })
})

it('a hanging Redis delays one login by a few short waits, and the next ones not at all', async () => {
  await logins(1)
  await expect
    .poll(async () => Math.min(...(await logins(3))), { timeout: 10_000 })
    .toBeLessThan(80)
  await admin.client('PAUSE', 5_000, 'ALL')
  const [first = 0] = await logins(1)
  // Before its hash, at the same time as its hash, and after it.
  expect(first).toBeGreaterThan(WAIT_MS)
  await logins(1)
  expect(Math.min(...(await logins(10)))).toBeLessThan(WAIT_MS)
})

it('a login that succeeds leaves no count in a Redis that executed its command too late', async () => {
  await admin.flushall()
  // The circuit is closed again when a login is counted in Redis.
  await expect.poll(async () => (await logins(1)) && counted(), { timeout: 10_000 }).toBe(1)
  await admin.flushall()
  await admin.client('PAUSE', 500, 'ALL')
  await logins(1)
  const counts = async () => {
    const keys = await admin.keys('auth:login-network:*')
    return keys.length > 0 ? await admin.mget(...keys) : []
  }
  await expect.poll(counts, { timeout: 10_000 }).toEqual(['0'])
})

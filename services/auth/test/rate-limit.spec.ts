import { type Redis as RedisServer, startRedis } from '@malipo/local/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, newPerson, type Person, startAuth } from './auth.js'
import { attempt, from, newAddress } from './clients.js'

let server: RedisServer
let redis: Redis
let auth: Auth
let replica: Auth

/** Both replicas trust this test as a proxy, so that its requests can have any client address. */
beforeAll(async () => {
  const started = await startRedis()
  if (!started) throw new Error('no redis-server on the PATH')
  server = started
  redis = new Redis(server.url)
  redis.on('error', () => undefined)
  const common = {
    REDIS_URL: server.url,
    TRUSTED_PROXIES: '127.0.0.1',
    REGISTRATIONS_PER_MINUTE: '5',
    REFUSALS_PER_MINUTE: '20',
  }
  auth = await startAuth(common)
  replica = await startAuth({ ...common, DATABASE_URL: auth.databaseUrl })
})
afterAll(async () => {
  redis.disconnect()
  await auth.close()
  await replica.close()
  await server.stop()
})

const user = async () => {
  const person = newPerson()
  const { status } = await auth.client.post('/api/auth/register', person, from(newAddress()))
  expect(status).toBe(201)
  return person
}

/** Logs in with the phones of strangers, which fails. */
async function failLogins(times: number, address: string, at = auth) {
  for (let i = 0; i < times; i++) {
    expect((await attempt(at, newPerson(), address)).status).toBe(401)
  }
}

const statusOf = async (person: Person, address: string, at = auth) =>
  (await attempt(at, person, address)).status

/** Deletes the counters, which has the same effect as waiting for a minute. */
async function passMinute() {
  const keys = await redis.keys('auth:*')
  if (keys.length > 0) await redis.del(...keys)
}

describe('failed logins to many phones', () => {
  it('from one address are rejected for at most a minute, across replicas', async () => {
    const [person, address] = [await user(), newAddress()]
    await failLogins(10, address)
    await failLogins(10, address, replica)
    const { status, headers, body } = await attempt(auth, person, address)
    expect([status, body.type]).toEqual([429, '/problems/too-many-attempts'])
    expect(headers.get('ratelimit-policy')).toBe('"login-network";q=20;w=60')
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
    expect(await statusOf(person, address, replica)).toBe(429)
    expect(await statusOf(person, newAddress())).toBe(200)
    await passMinute()
    expect(await statusOf(person, address)).toBe(200)
  })

  it('do not lengthen the wait', async () => {
    const [person, address] = [await user(), newAddress()]
    for (let round = 0; round < 4; round++) {
      await failLogins(20, address)
      const { status, headers } = await attempt(auth, person, address)
      expect(status).toBe(429)
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
      await passMinute()
    }
  })

  it('do not lock out users with a device token, an access token or a session in the network', async () => {
    const [first, second, third, address] = [await user(), await user(), await user(), newAddress()]
    const { body: own } = await attempt(auth, first, newAddress())
    const { body: other } = await attempt(auth, second, newAddress())
    expect(await statusOf(third, address)).toBe(200)
    await failLogins(20, address)
    const deviceToken = own.device_token as string
    for (let i = 0; i < 3; i++) {
      expect((await attempt(auth, first, address, { deviceToken })).status).toBe(200)
      const token = other.access_token as string
      expect((await attempt(auth, second, address, { token })).status).toBe(200)
      expect(await statusOf(third, address)).toBe(200)
    }
    expect(await statusOf(await user(), address)).toBe(429)
  })

  it('do not count successful logins', async () => {
    const [person, address] = [await user(), newAddress()]
    for (let i = 0; i < 25; i++) expect(await statusOf(person, address)).toBe(200)
  })

  it('leave neither a phone nor an address in Redis', async () => {
    await failLogins(1, newAddress())
    const keys = (await redis.keys('auth:*')).join()
    expect(keys).not.toBe('')
    expect(keys).not.toMatch(/\d{8}|198\.18/)
  })

  it.each([
    ['a /64', 20, (i: number) => `2001:db8:64:1::${i}`, '2001:db8:64:2::1'],
    ['a /56', 40, (i: number) => `2001:db8:56:10${(i % 50) + 10}::1`, '2001:db8:56:1100::1'],
    ['a /48', 80, (i: number) => `2001:db8:48:${(i % 50) + 10}00::1`, '2001:db8:49::1'],
  ])('are counted for %s of IPv6: %d in a minute', async (_, limit, addressOf, outside) => {
    const person = await user()
    for (let i = 0; i < limit; i++) await failLogins(1, addressOf(i))
    expect(await statusOf(person, addressOf(limit))).toBe(429)
    expect(await statusOf(person, outside)).toBe(200)
  })
})

describe('an address', () => {
  it('in a header is ignored unless a trusted proxy sends it', async () => {
    const open = await startAuth({
      DATABASE_URL: auth.databaseUrl,
      REDIS_URL: undefined,
      REFUSALS_PER_MINUTE: '10',
    })
    try {
      for (let i = 0; i < 10; i++) await failLogins(1, newAddress(), open)
      expect(await statusOf(await user(), newAddress(), open)).toBe(429)
    } finally {
      await open.close()
    }
  })

  it('is that of the nearest untrusted hop, whatever the header claims', async () => {
    const [person, address] = [await user(), newAddress()]
    for (let i = 0; i < 20; i++) await failLogins(1, `${newAddress()}, ${address}`)
    expect(await statusOf(person, address)).toBe(429)
  })
})

describe('registrations', () => {
  const register = (address: string, at = auth) =>
    at.client.post('/api/auth/register', newPerson(), from(address))

  it('of one network are limited per minute, across replicas', async () => {
    const address = newAddress()
    for (let i = 0; i < 5; i++) {
      const { status, headers } = await register(address, i % 2 ? auth : replica)
      expect([status, headers.get('ratelimit-policy')]).toEqual([201, '"register";q=5;w=60'])
    }
    const { status, headers, body } = await register(address)
    expect([status, body.type]).toEqual([429, '/problems/too-many-attempts'])
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
    expect((await register(newAddress())).status).toBe(201)
    await passMinute()
    expect((await register(address)).status).toBe(201)
  })

  it('that are invalid are not counted', async () => {
    const address = newAddress()
    for (let i = 0; i < 6; i++) {
      await auth.client.post('/api/auth/register', { phone: 'x' }, from(address))
    }
    expect((await register(address)).status).toBe(201)
  })
})

describe('refreshing', () => {
  const refresh = (token: string, address: string) =>
    auth.client.post('/api/auth/refresh', { refresh_token: token }, from(address))
  const INVALID = 'a'.repeat(86)

  it('with invalid tokens is limited, and does not lock out the neighbours with valid tokens', async () => {
    const address = newAddress()
    const { body: tokens } = await attempt(auth, await user(), address)
    for (let i = 0; i < 20; i++) expect((await refresh(INVALID, address)).status).toBe(401)
    const { status, headers } = await refresh(INVALID, address)
    expect([status, headers.get('ratelimit-policy')]).toEqual([429, '"refresh";q=20;w=60'])
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
    let token = tokens.refresh_token as string
    for (let i = 0; i < 25; i++) {
      const { status: refreshed, body } = await refresh(token, address)
      expect(refreshed).toBe(200)
      token = body.refresh_token as string
    }
    expect((await refresh(INVALID, newAddress())).status).toBe(401)
  })

  it('with many invalid tokens at once waits no longer than one after the other', async () => {
    const address = newAddress()
    const guesses = Array.from({ length: 150 }, () => refresh(INVALID, address))
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(20)
    const { status, headers } = await refresh(INVALID, address)
    expect(status).toBe(429)
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
  })
})

describe('without Redis', () => {
  it('each process counts the requests of networks for itself', async () => {
    await server.kill()
    try {
      const [person, address] = [await user(), newAddress()]
      await failLogins(20, address)
      expect(await statusOf(person, address)).toBe(429)
      expect(await statusOf(person, newAddress())).toBe(200)
      expect(await statusOf(person, address, replica)).toBe(200)
      const register = () => auth.client.post('/api/auth/register', newPerson(), from(address))
      for (let i = 0; i < 5; i++) expect((await register()).status).toBe(201)
      expect((await register()).status).toBe(429)
    } finally {
      await server.restart()
    }
  })

  it('the same applies if Redis is slow', async () => {
    const [person, address] = [await user(), newAddress()]
    await redis.call('CLIENT', 'PAUSE', '3000', 'ALL')
    expect(await statusOf(person, address)).toBe(200)
  })
})

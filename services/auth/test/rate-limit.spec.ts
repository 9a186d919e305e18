import { type Redis as RedisServer, startRedis } from '@malipo/local/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, newPerson, startAuth } from './auth.js'

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
    REGISTRATIONS_PER_HOUR: '5',
    REFUSALS_PER_ADDRESS: '60',
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

let networks = 0
/** Returns an address that no other test uses. */
const newAddress = () => `198.18.${Math.floor(networks / 250)}.${(networks++ % 250) + 1}`

const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })

const user = async () => {
  const person = newPerson()
  const { status } = await auth.client.post('/api/auth/register', person, from(newAddress()))
  expect(status).toBe(201)
  return person
}

const attempt = (phone: string, password: string, address: string, at = auth) =>
  at.client.post('/api/auth/login', { phone, password }, from(address))

async function fail(phone: string, times: number, address: string, at = auth) {
  for (let i = 0; i < times; i++) {
    expect((await attempt(phone, `guess ${i}`, address, at)).status).toBe(401)
  }
}

/** Deletes the counters, which has the same effect as waiting. */
async function endWaits() {
  const keys = (await redis.keys('auth:login:*')).filter((key) => !key.includes(':reached:'))
  if (keys.length > 0) await redis.del(...keys)
}

describe('guessing the password of a phone from one network', () => {
  const LIMIT = 10

  it('is rejected after ten failures, even with the right password', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    await fail(phone, LIMIT, address)
    const { status, headers, body } = await attempt(phone, password, address)
    expect([status, body.type]).toEqual([429, '/problems/too-many-attempts'])
    const seconds = Number(headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(280)
    expect(seconds).toBeLessThanOrEqual(300)
    expect(headers.get('ratelimit-policy')).toBe('"login";q=10;w=300')
    expect(headers.get('ratelimit')).toBe(`"login";r=0;t=${seconds}`)
    const other = await user()
    expect((await attempt(other.phone, other.password, address)).status).toBe(200)
  })

  it('reports the remaining attempts', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    for (const left of [9, 8]) {
      const { headers } = await attempt(phone, 'not this one', address)
      expect(headers.get('ratelimit-policy')).toBe('"login";q=10;w=300')
      expect(headers.get('ratelimit')).toMatch(new RegExp(`^"login";r=${left};t=(299|300)$`))
    }
    const { headers } = await attempt(phone, password, address)
    expect(headers.get('ratelimit')).toMatch(/^"login";r=7;/)
  })

  it('waits longer each time, up to an hour', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    const waits = []
    for (let round = 0; round < 4; round++) {
      await fail(phone, LIMIT, address)
      const { status, headers } = await attempt(phone, password, address)
      expect(status).toBe(429)
      waits.push(Math.round(Number(headers.get('retry-after')) / 60))
      await endWaits()
    }
    expect(waits).toEqual([5, 15, 45, 60])
    // After the wait, the owner's login succeeds and resets the limit.
    expect((await attempt(phone, password, address)).status).toBe(200)
    await fail(phone, LIMIT, address)
    const { headers } = await attempt(phone, password, address)
    expect(Math.round(Number(headers.get('retry-after')) / 60)).toBe(5)
    await endWaits()
  })

  it('consumes a point before the check: of fifty concurrent guesses ten are checked', async () => {
    const [{ phone }, address] = [await user(), newAddress()]
    const guesses = Array.from({ length: 50 }, (_, i) => attempt(phone, `guess ${i}`, address))
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(LIMIT)
    expect(statuses.filter((status) => status === 429)).toHaveLength(40)
  })

  it('does not count fifty concurrent successful logins', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    const logins = Array.from({ length: 50 }, () => attempt(phone, password, address))
    const statuses = (await Promise.all(logins)).map(({ status }) => status)
    expect(statuses).toEqual(Array(50).fill(200))
  })

  it('is reset by a successful login', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    for (let round = 0; round < 2; round++) {
      await fail(phone, LIMIT - 1, address)
      expect((await attempt(phone, password, address)).status).toBe(200)
    }
  })

  it('is rejected for unknown phones alike', async () => {
    const [{ phone }, address] = [newPerson(), newAddress()]
    await fail(phone, LIMIT, address)
    expect((await attempt(phone, 'once more', address)).status).toBe(429)
  })

  it('is counted across replicas, without a phone or an address in Redis', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    await fail(phone, LIMIT, address)
    expect((await attempt(phone, password, address, replica)).status).toBe(429)
    const keys = (await redis.keys('auth:*')).join()
    expect(keys).not.toMatch(/\d{8}|198\.18/)
  })

  it('does not affect other networks', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    await fail(phone, LIMIT, address)
    expect((await attempt(phone, password, newAddress())).status).toBe(200)
  })

  it('counts an IPv6 /64 as a single network', async () => {
    const { phone, password } = await user()
    const host = (i: number) => `2001:db8:${networks}:1:${i}::${i}`
    for (let i = 1; i <= LIMIT; i++) await fail(phone, 1, host(i))
    expect((await attempt(phone, password, host(99))).status).toBe(429)
    const next = `2001:db8:${networks}:2::1`
    expect((await attempt(phone, password, next)).status).toBe(200)
  })
})

describe('an address', () => {
  it('in a header is ignored unless a trusted proxy sends it', async () => {
    const open = await startAuth({ DATABASE_URL: auth.databaseUrl, REDIS_URL: server.url })
    try {
      const { phone, password } = await user()
      await fail(phone, 5, newAddress(), open)
      await fail(phone, 5, newAddress(), open)
      expect((await attempt(phone, password, newAddress(), open)).status).toBe(429)
      await endWaits()
    } finally {
      await open.close()
    }
  })

  it('is that of the nearest untrusted hop, whatever the header claims', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    for (let i = 0; i < 10; i++) await fail(phone, 1, `${newAddress()}, ${address}`)
    expect((await attempt(phone, password, address)).status).toBe(429)
  })

  it('shares one limit with all others if invalid', async () => {
    const { phone, password } = await user()
    for (let i = 0; i < 10; i++) await fail(phone, 1, `nonsense ${i}`)
    expect((await attempt(phone, password, 'unknown')).status).toBe(429)
    expect((await attempt(phone, password, newAddress())).status).toBe(200)
  })
})

describe('guesses spread', () => {
  it('over networks are rejected, except where the owner has a session', async () => {
    const { phone, password } = await user()
    const home = newAddress()
    expect((await attempt(phone, password, home)).status).toBe(200)
    for (let i = 0; i < 10; i++) {
      const address = newAddress()
      await Promise.all(Array.from({ length: 9 }, () => fail(phone, 1, address)))
    }
    for (let i = 0; i < 5; i++) await fail(phone, 2, newAddress())
    const { status, headers } = await attempt(phone, password, newAddress())
    expect([status, headers.get('ratelimit-policy')]).toEqual([429, '"login-account";q=100;w=900'])
    expect((await attempt(phone, password, home)).status).toBe(200)
    await fail(phone, 10, home)
    expect((await attempt(phone, password, home)).status).toBe(429)
  })

  it('over phones are rejected, except for owners with a session there', async () => {
    const address = newAddress()
    const { phone, password } = await user()
    expect((await attempt(phone, password, address)).status).toBe(200)
    for (let i = 0; i < 3; i++) {
      await Promise.all(Array.from({ length: 20 }, () => fail(newPerson().phone, 1, address)))
    }
    const other = await user()
    const { status, headers } = await attempt(other.phone, other.password, address)
    expect([status, headers.get('ratelimit-policy')]).toEqual([429, '"login-network";q=60;w=600'])
    expect((await attempt(phone, password, address)).status).toBe(200)
    expect((await attempt(other.phone, other.password, newAddress())).status).toBe(200)
  })
})

describe('registrations', () => {
  const register = (address: string, at = auth) =>
    at.client.post('/api/auth/register', newPerson(), from(address))

  it('of one network are limited per hour, across replicas', async () => {
    const address = newAddress()
    for (let i = 0; i < 5; i++) {
      const { status, headers } = await register(address, i % 2 ? auth : replica)
      expect([status, headers.get('ratelimit-policy')]).toEqual([201, '"register";q=5;w=3600'])
    }
    const { status, headers, body } = await register(address)
    expect([status, body.type]).toEqual([429, '/problems/too-many-attempts'])
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(3_500)
    expect((await register(newAddress())).status).toBe(201)
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

  it('with invalid tokens is rate-limited; with valid ones it is not', async () => {
    const address = newAddress()
    const { phone, password } = await user()
    let { refresh_token: token } = (await attempt(phone, password, address)).body as {
      refresh_token: string
    }
    for (let i = 0; i < 70; i++) {
      const { status, body } = await refresh(token, address)
      expect(status).toBe(200)
      token = body.refresh_token as string
    }
    for (let i = 0; i < 6; i++) {
      const guesses = Array.from({ length: 10 }, () => refresh('a'.repeat(86), address))
      for (const { status } of await Promise.all(guesses)) expect(status).toBe(401)
    }
    const { status, headers } = await refresh(token, address)
    expect([status, headers.get('ratelimit-policy')]).toEqual([429, '"refresh";q=60;w=600'])
    expect((await refresh(token, newAddress())).status).toBe(200)
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(600)
  })

  it('with many invalid tokens at once waits no longer than one after the other', async () => {
    const address = newAddress()
    const guesses = Array.from({ length: 150 }, () => refresh('a'.repeat(86), address))
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 401).length).toBeGreaterThanOrEqual(60)
    const { status, headers } = await refresh('a'.repeat(86), address)
    expect(status).toBe(429)
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(600)
  })
})

describe('without Redis', () => {
  it('each process counts for itself', async () => {
    await server.kill()
    try {
      const [{ phone, password }, address] = [await user(), newAddress()]
      await fail(phone, 10, address)
      expect((await attempt(phone, password, address)).status).toBe(429)
      expect((await attempt(phone, password, newAddress())).status).toBe(200)
      const register = () => auth.client.post('/api/auth/register', newPerson(), from(address))
      for (let i = 0; i < 5; i++) expect((await register()).status).toBe(201)
      expect((await register()).status).toBe(429)
    } finally {
      await server.restart()
    }
  })

  it('as with a slow Redis', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    await redis.call('CLIENT', 'PAUSE', '3000', 'ALL')
    expect((await attempt(phone, password, address)).status).toBe(200)
  })
})

import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { newApiKey } from '@malipo/kit/http/api-key'
import { Client } from '@malipo/testing/client'
import { query } from '@malipo/testing/database'
import { until } from '@malipo/testing/until'
import { Redis as RedisClient } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { newServer, revokeKey, rotated, type Server } from './api-keys.js'
import { login, type User } from './auth.js'
import type { Payments } from './payments.js'
import { as } from './requests.js'
import { startTokenFixture, type TokenFixture } from './token-fixture.js'

let fixture: TokenFixture
let payments: Payments
let authUrl: string
let user: User
beforeAll(async () => {
  fixture = await startTokenFixture()
  payments = await fixture.replica({ TRUSTED_PROXIES: '127.0.0.1' })
  authUrl = fixture.auth.url
})
afterAll(async () => {
  await payments.close()
  await fixture.close()
})
beforeEach(async () => {
  user = await fixture.newUser()
})

const status = async (server: Pick<Server, 'token'>, at = payments) =>
  (await as(server, at).list('?limit=1')).status
const entryKey = ({ token }: Server) => `token:${createHash('sha256').update(token).digest('hex')}`

async function untilCached(server: Server, at = payments) {
  await until(
    async () =>
      (await status(server, at)) === 200 &&
      (await fixture.redisClient.exists(entryKey(server))) === 1,
  )
}

/** Sends a key that auth does not know, from this address. */
const guess = (address: string, at = payments, token = newApiKey('sandbox')) =>
  at.client.get('/api/payments', { token, headers: { 'x-forwarded-for': address } })

describe('an API key', () => {
  it('creates payments of its merchant, and sees no others', async () => {
    const server = await newServer(authUrl, user)
    const created = await as(server, payments).create()
    expect(created.status).toBe(201)
    const reference = created.body.reference as string
    expect((await as(user, payments).get(reference)).status).toBe(200)
    const stranger = await newServer(authUrl, await fixture.newUser())
    expect((await as(stranger, payments).get(reference)).status).toBe(404)
    const own = await as(user, payments).create()
    expect((await as(server, payments).get(own.body.reference as string)).status).toBe(200)
    const owners = await payments.sql(
      'SELECT owner_id FROM payments WHERE id = $1',
      created.body.id,
    )
    expect(owners).toEqual([{ owner_id: user.id }])
  })

  it('has only its own scopes', async () => {
    const reader = await newServer(authUrl, user, { scopes: ['payments:read'] })
    expect(await status(reader)).toBe(200)
    const answer = await as(reader, payments).create()
    expect([answer.status, answer.body.type]).toEqual([403, '/problems/insufficient-scope'])
  })

  it('is cached as tokens are, for all replicas', async () => {
    const server = await newServer(authUrl, user)
    await untilCached(server)
    const other = await fixture.replica()
    onTestFinished(() => other.close())
    // If Redis is too slow on a busy machine, the check calls auth, and the request is repeated.
    await until(async () => {
      const before = await fixture.validateCalls()
      expect(await status(server, other)).toBe(200)
      expect(await status(server)).toBe(200)
      return (await fixture.validateCalls()) === before
    })
  })

  it('of another mode is 401 wrong-mode, without a question to auth', async () => {
    const before = await fixture.validateCalls()
    const { status: code, body, headers } = await guess('192.0.2.1', payments, newApiKey('live'))
    expect([code, body.type]).toEqual([401, '/problems/wrong-mode'])
    expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    expect(await fixture.validateCalls()).toBe(before)
  })

  it('with a wrong checksum is rejected before any look-up, and not counted', async () => {
    const before = await fixture.validateCalls()
    for (let n = 0; n < 150; n++) {
      const noise = `mlp_test_${String(n).padStart(36, '0')}`
      expect((await guess('192.0.2.2', payments, noise)).status).toBe(401)
    }
    expect(await fixture.validateCalls()).toBe(before)
    expect((await guess('192.0.2.2')).status).toBe(401)
  })
})

describe('a revoked key', () => {
  it('is rejected by every replica when its revocation is answered', async () => {
    const replicas = [payments, await fixture.replica(), await fixture.replica()]
    const server = await newServer(authUrl, user)
    for (const replica of replicas) await untilCached(server, replica)
    await revokeKey(authUrl, user, server)
    // The contract allows one second. This test allows the revocation message 10 ms.
    await sleep(10)
    expect(await Promise.all(replicas.map((replica) => status(server, replica)))).toEqual([
      401, 401, 401,
    ])
    await Promise.all(replicas.slice(1).map((replica) => replica.close()))
  })

  it('by a removed scope is rejected within a second', async () => {
    const server = await newServer(authUrl, user)
    await untilCached(server)
    const operator = await fixture.newUser()
    await query(fixture.authDatabase, `UPDATE users SET scopes = '{auth:admin}' WHERE id = $1`, [
      operator.id,
    ])
    const token = await login(operator, authUrl)
    const path = `/api/auth/users/${user.id}/scopes`
    const removed = { token, body: { scopes: ['payments:read'] } }
    expect((await new Client(authUrl).send('PUT', path, removed)).status).toBe(200)
    await sleep(1_000)
    expect(await status(server)).toBe(401)
  })

  it('is still rejected after Redis has lost its data', async () => {
    const server = await newServer(authUrl, user)
    await untilCached(server)
    await revokeKey(authUrl, user, server)
    await fixture.redisClient.flushall()
    expect(await status(server)).toBe(401)
    const other = await fixture.replica()
    expect(await status(server, other)).toBe(401)
    await other.close()
  })
})

describe('a rotated key', () => {
  it('is accepted with the new one until the end of the overlap, also where it was cached before', async () => {
    const old = await newServer(authUrl, user)
    await untilCached(old)
    const next = await rotated(authUrl, user, old, 2)
    const rotatedAt = performance.now()
    expect(await status(next)).toBe(200)
    expect(await status(old)).toBe(200)
    await until(async () => (await status(old)) === 401)
    // The revocation of an expired key takes effect within a second; this allows a busy machine one more.
    expect(performance.now() - rotatedAt).toBeLessThan(4_000)
    expect(performance.now() - rotatedAt).toBeGreaterThan(1_500)
    expect(await status(next)).toBe(200)
  })

  it('shares its idempotency keys with the new one, and not with another merchant', async () => {
    const old = await newServer(authUrl, user)
    const headers = { 'idempotency-key': 'order-17' }
    const first = await as(old, payments).create({}, headers)
    const next = await rotated(authUrl, user, old)
    const again = await as(next, payments).create({}, headers)
    expect([again.status, again.body.reference]).toEqual([201, first.body.reference])
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    const byToken = await as(user, payments).create({}, headers)
    expect(byToken.body.reference).toBe(first.body.reference)
    expect((await as(next, payments).create({ amount: 6_000 }, headers)).status).toBe(422)
    const stranger = await newServer(authUrl, await fixture.newUser())
    const other = await as(stranger, payments).create({}, headers)
    expect([other.status, other.headers.get('idempotent-replayed')]).toEqual([201, null])
  })
})

describe('guesses of keys with a right checksum', () => {
  it('of a network reach neither auth nor Redis after the first 100, and cached keys stay usable', async () => {
    const address = '192.0.2.3'
    const server = await newServer(authUrl, user)
    const use = () =>
      payments.client.get('/api/payments', {
        token: server.token,
        headers: { 'x-forwarded-for': address },
      })
    await until(
      async () =>
        (await use()).status === 200 && (await fixture.redisClient.exists(entryKey(server))) === 1,
    )
    const before = await fixture.validateCalls()
    while ((await guess(address)).status === 401);
    expect((await fixture.validateCalls()) - before).toBe(100)
    const [calls, reads] = [await fixture.validateCalls(), await mgets()]
    const answers = await Promise.all(Array.from({ length: 200 }, () => guess(address)))
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([429]))
    expect(answers[0]?.body.type).toBe('/problems/too-many-bad-tokens')
    expect(await fixture.validateCalls()).toBe(calls)
    expect(await mgets()).toBe(reads)
    expect((await use()).status).toBe(200)
    expect((await guess('192.0.2.4')).status).toBe(401)
  })

  it('at the same time reach auth 100 times', async () => {
    const server = await newServer(authUrl, user)
    const before = await fixture.validateCalls()
    const guesses = Array.from({ length: 150 }, () => guess('192.0.2.5'))
    const valid = guess('192.0.2.6', payments, server.token)
    const codes = (await Promise.all(guesses)).map((answer) => answer.status)
    expect((await valid).status).toBe(200)
    expect(codes.filter((code) => code === 401)).toHaveLength(100)
    expect(codes.filter((code) => code === 429)).toHaveLength(50)
    expect((await fixture.validateCalls()) - before).toBe(101)
  })

  /** The reads of token entries that Redis has received. */
  async function mgets(): Promise<number> {
    const client = new RedisClient(fixture.redis.url)
    const stats = await client.info('commandstats')
    client.disconnect()
    return Number(/cmdstat_mget:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }
})

describe('while auth is down', () => {
  it('a cached key is accepted, and an uncached one gets 503', async () => {
    const [cached, other] = [await newServer(authUrl, user), await newServer(authUrl, user)]
    const replica = await fixture.replica({ TOKEN_CACHE_TTL_MS: '1' })
    onTestFinished(() => replica.close())
    await untilCached(cached, replica)
    fixture.proxies.auth.retarget(9)
    fixture.proxies.auth.cut()
    onTestFinished(() => fixture.proxies.auth.retarget(fixture.auth.port))
    expect(await status(cached, replica)).toBe(200)
    expect(await status(other, replica)).toBe(503)
  })
})

import { EVICTION_POLICIES } from '@malipo/testing/eviction-policies'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { login, type User } from './auth.js'
import type { Payments } from './payments.js'
import { paymentInput } from './requests.js'
import { cacheKeyOf, sessionKeyOf, startTokenFixture, type TokenFixture } from './token-fixture.js'
import { until } from '@malipo/testing/until'

/**
 * A full Redis evicts any of its keys. A payments replica that starts afterwards must accept none of the tokens
 * whose sessions were revoked before, whatever is left of their entries and marks.
 */

const TOKENS = 200
/** Each user has this many, fewer than SESSIONS_PER_USER. */
const SESSIONS = 10

let fixture: TokenFixture
let users: User[]
let keys: string[]
/** The entries and marks of all tokens, with the remaining lifetimes, right after the logouts. */
let contents: { key: string; value: string; ttlMs: number }[]

beforeAll(async () => {
  fixture = await startTokenFixture()
  const replica = await fixture.replica({ TRUSTED_PROXIES: '127.0.0.1' })
  const people = await Promise.all(
    Array.from({ length: TOKENS / SESSIONS }, () => fixture.newUser()),
  )
  const sessions = people.flatMap((user) => Array.from({ length: SESSIONS }, () => user))
  users = await inChunks(sessions, async (user) => ({
    ...user,
    token: await login(user, fixture.auth.url),
  }))
  keys = users.flatMap((user) => [cacheKeyOf(user), sessionKeyOf(user)])
  await until(async () => {
    await send(users, replica, 'GET')
    return (await fixture.redisClient.exists(users.map(cacheKeyOf))) === TOKENS
  })
  await inChunks(users, (user) => fixture.logout(user))
  contents = await Promise.all(
    keys.map(async (key) => ({
      key,
      value: (await fixture.redisClient.get(key)) ?? '',
      ttlMs: await fixture.redisClient.pttl(key),
    })),
  )
  await replica.close()
}, 120_000)
afterAll(() => fixture.close())

/** Fewer concurrent requests than the load shedder admits at once. */
async function inChunks<T, R>(items: readonly T[], work: (item: T, nth: number) => Promise<R>) {
  const results: R[] = []
  for (let from = 0; from < items.length; from += 20) {
    const chunk = items.slice(from, from + 20).map((item, nth) => work(item, from + nth))
    results.push(...(await Promise.all(chunk)))
  }
  return results
}

/** Sends a request with each token, each from another address, since addresses with rejected tokens are throttled. */
function send(senders: readonly User[], at: Payments, method: 'GET' | 'POST') {
  const body = method === 'POST' ? { body: JSON.stringify(paymentInput()) } : {}
  return inChunks(senders, async ({ token }, nth) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'x-forwarded-for': `192.0.2.${nth}`,
    }
    const answer = await fetch(new URL('/api/payments', at.client.url), {
      method,
      headers,
      ...body,
    })
    await answer.body?.cancel()
    return answer.status
  })
}

/** Restores the keys as they were after the logouts. */
async function restore() {
  await fixture.redisClient.flushall()
  const pipeline = fixture.redisClient.pipeline()
  for (const { key, value, ttlMs } of contents) pipeline.set(key, value, 'PX', ttlMs)
  await pipeline.exec()
}

/** Writes keys until Redis has evicted about half of the tokens' keys, or refuses to write. */
async function fill(policy: (typeof EVICTION_POLICIES)[number]) {
  const redis = fixture.redisClient
  const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
  await redis.config('SET', 'maxmemory', String(used + 100_000))
  await redis.config('SET', 'maxmemory-policy', policy)
  for (let n = 0; n < 100; n++) {
    const pipeline = redis.pipeline()
    for (let i = 0; i < 100; i++) {
      pipeline.set(`other:${n}:${i}`, 'x'.repeat(500), 'PX', 20_000 * (i + 1))
    }
    const results = (await pipeline.exec()) ?? []
    const isFull = results.some(([error]) => error?.message.startsWith('OOM'))
    const left = await redis.exists(keys)
    if (isFull || left <= keys.length / 2) return left
  }
  return redis.exists(keys)
}

describe.each(EVICTION_POLICIES)('a full Redis with the policy %s', (policy) => {
  it('makes no replica accept a revoked token, whether auth responds or not', async () => {
    await restore()
    const left = await fill(policy)
    expect(left < keys.length).toBe(policy !== 'noeviction')
    const replica = await fixture.replica({ TRUSTED_PROXIES: '127.0.0.1' })
    fixture.proxies.auth.retarget(9)
    fixture.proxies.auth.cut()
    try {
      const statuses = [
        ...(await send(users, replica, 'GET')),
        ...(await send(users, replica, 'POST')),
      ]
      expect(statuses.filter((status) => status !== 401 && status !== 503)).toEqual([])
      fixture.proxies.auth.retarget(fixture.auth.port)
      expect(new Set(await send(users, replica, 'POST'))).toEqual(new Set([401]))
    } finally {
      fixture.proxies.auth.retarget(fixture.auth.port)
      await fixture.redisClient.config('SET', 'maxmemory', '0')
      await replica.close()
    }
  })
})

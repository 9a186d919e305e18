import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { User } from './auth.js'
import type { Payments } from './payments.js'
import {
  cacheKeyOf,
  startTokenFixture,
  sessionKeyOf,
  sidOf,
  type TokenFixture,
  untilRedisCircuitCloses,
  sendRequest,
} from './token-fixture.js'
import { until } from '@malipo/testing/until'

/** How soon payments rejects the tokens of a revoked session, and races that could delay the rejection. */

let fixture: TokenFixture
let payments: Payments
beforeAll(async () => {
  fixture = await startTokenFixture()
  payments = await fixture.replica()
})
afterAll(async () => {
  await payments.close()
  await fixture.close()
})

let user: User
beforeEach(async () => {
  user = await fixture.newUser()
})

const status = async (at: Payments = payments) => (await sendRequest(user, at)).status
const markRevoked = (at = Date.now()) =>
  fixture.redisClient.set(sessionKeyOf(user), `revoked:${at}`, 'PX', 960_000)

/** Resolves when the replica has the token in its local cache. */
async function untilCached() {
  await until(
    async () =>
      (await status()) === 200 && (await fixture.redisClient.exists(cacheKeyOf(user))) === 1,
  )
  expect(await status()).toBe(200)
}

/** Runs `work` while responses of auth or Redis are delayed. */
async function withDelay<T>(of: 'auth' | 'redis', ms: number, work: () => Promise<T>): Promise<T> {
  fixture.proxies[of].slow(ms)
  try {
    return await work()
  } finally {
    fixture.proxies[of].slow(0)
  }
}

describe('a token of a revoked session', () => {
  it('is rejected by every replica at once, cached or not', async () => {
    const replicas = [payments, await fixture.replica(), await fixture.replica()]
    await untilCached()
    await Promise.all(replicas.map(status))
    await fixture.logout(user)
    // The contract allows one second. This test allows the revocation message 10 ms.
    await sleep(10)
    expect(await Promise.all(replicas.map(status))).toEqual([401, 401, 401])
    await Promise.all(replicas.slice(1).map((replica) => replica.close()))
  })

  it('is rejected within 500 ms if the message is lost', async () => {
    await untilCached()
    await markRevoked()
    const begin = performance.now()
    await until(async () => (await status()) === 401)
    expect(performance.now() - begin).toBeLessThan(650)
  })

  it('is rejected at once by a replica without a subscription', async () => {
    const unsubscribed = await fixture.replica()
    await fixture.redisClient.call('ACL', 'SETUSER', 'default', 'resetchannels')
    try {
      await fixture.redisClient.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await untilRedisCircuitCloses(unsubscribed)
      await until(async () => (await status(unsubscribed)) === 200)
      await markRevoked()
      expect(await status(unsubscribed)).toBe(401)
    } finally {
      await fixture.redisClient.call('ACL', 'SETUSER', 'default', 'allchannels')
      await unsubscribed.close()
    }
  })

  it('is still rejected after Redis has lost its data', async () => {
    await untilCached()
    await fixture.logout(user)
    await until(async () => (await status()) === 401)
    await fixture.redisClient.flushall()
    expect(await status()).toBe(401)
    const other = await fixture.replica()
    expect(await status(other)).toBe(401)
    await other.close()
  })

  it('is rejected without a call to auth if it was never used before', async () => {
    await markRevoked()
    // If Redis is too slow on a busy machine, the check calls auth, and the request is repeated.
    await until(async () => {
      const before = await fixture.validateCalls()
      expect(await status()).toBe(401)
      return (await fixture.validateCalls()) === before
    })
  })
})

describe('a result of auth from before a revocation that is received after it', () => {
  const statusAfterDelay = (ms: number, meanwhile: () => Promise<unknown>) =>
    withDelay('auth', ms, async () => {
      const pending = status()
      await sleep(ms / 2)
      await meanwhile()
      return pending
    })

  it('is not used: the revocation is read after it', async () => {
    expect(await statusAfterDelay(600, () => fixture.logout(user))).toBe(401)
    expect(await status()).toBe(401)
  })

  it('is not used if the message is lost', async () => {
    expect(await statusAfterDelay(600, () => markRevoked())).toBe(401)
  })

  it('causes 503 if Redis lost its data meanwhile, and is not used by another replica', async () => {
    const answer = await statusAfterDelay(1_400, async () => {
      await markRevoked()
      await fixture.redisClient.flushall()
    })
    expect(answer).toBe(503)
    expect(await fixture.redisClient.exists(cacheKeyOf(user))).toBe(1)
    await fixture.logout(user)
    await fixture.redisClient.del(sessionKeyOf(user))
    const other = await fixture.replica()
    expect(await status(other)).toBe(401)
    await other.close()
  })

  it('is not used by a replica that reads it from Redis together with the revocation', async () => {
    await untilCached()
    const entry = (await fixture.redisClient.get(cacheKeyOf(user))) ?? ''
    await fixture.logout(user)
    await fixture.redisClient.set(cacheKeyOf(user), entry, 'PX', 60_000)
    const other = await fixture.replica()
    expect(await status(other)).toBe(401)
    await other.close()
  })

  it('does not extend a stale entry while a call to auth is in progress', async () => {
    const replica = await fixture.replica({ TOKEN_CACHE_TTL_MS: '1' })
    await until(
      async () =>
        (await status(replica)) === 200 && (await fixture.redisClient.exists(cacheKeyOf(user))),
    )
    const answer = await withDelay('auth', 3_000, async () => {
      const pending = status(replica)
      await sleep(250)
      await markRevoked()
      return pending
    })
    expect(answer).toBe(401)
    fixture.proxies.auth.cut()
    await replica.close()
  })
})

describe('token_revocation_staleness_seconds', () => {
  const longest = (at: Payments) => at.metric('token_revocation_staleness_seconds')

  it('is the longest time from a revocation to a later acceptance of its token', async () => {
    const replica = await fixture.replica()
    expect(await longest(replica)).toBe(0)
    expect(await status(replica)).toBe(200)
    const at = Date.now() - 250
    await fixture.redisClient.publish('revoked', JSON.stringify({ sid: sidOf(user), at }))
    await until(async () => (await longest(replica)) > 0)
    expect(await longest(replica)).toBeLessThanOrEqual(0.25)
    expect(await longest(replica)).toBeGreaterThan(0.1)
    await replica.close()
  })

  it('is computed from the revocation in Redis if the message is lost', async () => {
    const replica = await fixture.replica()
    expect(await status(replica)).toBe(200)
    await markRevoked(Date.now() - 100)
    await until(async () => (await status(replica)) === 401)
    const seconds = await longest(replica)
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThan(0.75)
    await replica.close()
  })
})

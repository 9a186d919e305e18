import { randomUUID } from 'node:crypto'
import type { Service } from '@malipo/local/process'
import { Client } from '@malipo/testing/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { User } from './auth.js'
import type { Payments } from './payments.js'
import { as } from './requests.js'
import {
  cacheKeyOf,
  sessionKeyOf,
  startTokenFixture,
  type TokenFixture,
  untilRedisCircuitCloses,
} from './token-fixture.js'
import { until } from '@malipo/testing/until'

/** A token that auth has rejected is not accepted again from any cache when auth becomes unavailable. */

let fixture: TokenFixture
let authWithoutKey: Service
beforeAll(async () => {
  fixture = await startTokenFixture()
  authWithoutKey = await fixture.otherAuth({
    JWT_SECRET: 'another secret with 32 characters or more',
  })
})
afterAll(async () => {
  await authWithoutKey.stop()
  await fixture.close()
})

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  acceptTokensAgain()
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** A replica to which entries are stale after 50 ms, so that it asks auth. */
async function eagerReplica(): Promise<Payments> {
  const replica = await fixture.replica({ TOKEN_CACHE_TTL_MS: '50' })
  cleanups.push(() => replica.close())
  return replica
}

/** The statuses of a read and of a write. */
async function statuses(user: Pick<User, 'token'>, at: Payments) {
  const requests = as(user, at)
  return [(await requests.list()).status, (await requests.create()).status]
}

async function untilCached(user: User, at: Payments) {
  await until(async () => {
    const isAccepted = (await as(user, at).list()).status === 200
    return (
      isAccepted && (await fixture.redisClient.exists(cacheKeyOf(user), sessionKeyOf(user))) === 2
    )
  })
}

/** Payments calls this auth from now on. */
function useAuth({ port }: { readonly port: number }) {
  fixture.proxies.auth.retarget(port)
  fixture.proxies.auth.cut()
}

/** Auth rejects every token from now on, and publishes nothing, as after the removal of a signing key. */
const rejectTokens = () => useAuth(authWithoutKey)
const acceptTokensAgain = () => useAuth(fixture.auth)
const stopAuth = () => useAuth({ port: 9 })

async function untilRejected(user: User, at: Payments) {
  await until(async () => (await as(user, at).list()).status === 401)
}

/** Two access tokens of one session. */
async function twoTokens(): Promise<[User, User]> {
  const user = await fixture.newUser()
  const auth = new Client(fixture.auth.url)
  const first = await auth.post('/api/auth/login', { phone: user.phone, password: user.password })
  const { access_token, refresh_token } = first.body
  const second = await auth.post('/api/auth/refresh', { refresh_token })
  const pair = [access_token, second.body.access_token] as [string, string]
  expect(new Set(pair).size).toBe(2)
  return pair.map((token) => ({ ...user, token })) as [User, User]
}

/** Rejected tokens are remembered for 5 s. The refusal must last beyond that. */
const afterRejection = () => new Promise((resolve) => setTimeout(resolve, 5_100))

describe('a token that auth has rejected, while auth is unavailable afterwards', () => {
  it('is accepted neither by the replica that asked nor by others', async () => {
    const [replica, other] = [await eagerReplica(), await eagerReplica()]
    const user = await fixture.newUser()
    await untilCached(user, replica)
    await untilCached(user, other)
    rejectTokens()
    await untilRejected(user, replica)
    const keys = [cacheKeyOf(user), sessionKeyOf(user)]
    await until(async () => (await fixture.redisClient.exists(keys)) === 0)
    stopAuth()
    expect(await statuses(user, other)).toEqual([503, 503])
    expect(await statuses(user, await eagerReplica())).toEqual([503, 503])
    expect(await statuses(user, replica)).toEqual([401, 401])
    await afterRejection()
    expect(await statuses(user, replica)).toEqual([503, 503])
  })

  it('is not accepted by the replica that asked although Redis still has its entry', async () => {
    const replica = await eagerReplica()
    const user = await fixture.newUser()
    await untilCached(user, replica)
    const keys = [cacheKeyOf(user), sessionKeyOf(user)]
    const values = await fixture.redisClient.mget(...keys)
    rejectTokens()
    await untilRejected(user, replica)
    await until(async () => (await fixture.redisClient.exists(keys)) === 0)
    stopAuth()
    for (const [nth, key] of keys.entries()) {
      await fixture.redisClient.set(key, values[nth] ?? '', 'PX', 60_000)
    }
    await afterRejection()
    expect(await statuses(user, replica)).toEqual([503, 503])
  })

  it('is deleted from Redis once Redis is back', async () => {
    const replica = await eagerReplica()
    const user = await fixture.newUser()
    await untilCached(user, replica)
    const proof = await fixture.redisClient.get(sessionKeyOf(user))
    await fixture.redisClient.save()
    await fixture.redis.kill()
    rejectTokens()
    await untilRejected(user, replica)
    await fixture.redis.restart()
    await untilRedisCircuitCloses(replica)
    await until(async () => (await fixture.redisClient.exists(cacheKeyOf(user))) === 0)
    expect(await fixture.redisClient.get(sessionKeyOf(user))).not.toBe(proof)
  })

  it('is not accepted if a slow Redis did not show its entry before the call', async () => {
    const replica = await eagerReplica()
    const user = await fixture.newUser()
    await untilCached(user, replica)
    rejectTokens()
    const slow = await eagerReplica()
    fixture.proxies.redis.slow(200)
    cleanups.push(() => fixture.proxies.redis.slow(0))
    expect((await as(user, slow).list()).status).toBe(401)
    const keys = [cacheKeyOf(user), sessionKeyOf(user)]
    await until(async () => (await fixture.redisClient.exists(keys)) === 0)
  })
})

describe('a rejected token', () => {
  it('does not end a token of the same session that auth accepts later', async () => {
    const replica = await eagerReplica()
    const [user, later] = await twoTokens()
    await untilCached(user, replica)
    rejectTokens()
    await untilRejected(user, replica)
    acceptTokensAgain()
    await untilCached(later, replica)
    stopAuth()
    expect(await statuses(later, replica)).toEqual([200, 201])
  })

  it('removes nothing of a session that it only claims to belong to', async () => {
    const replica = await eagerReplica()
    const user = await fixture.newUser()
    await untilCached(user, replica)
    const [head, payload] = user.token.split('.')
    const forged = {
      token: `${head}.${payload}.${Buffer.from(randomUUID()).toString('base64url')}`,
    }
    expect((await as(forged, replica).list()).status).toBe(401)
    stopAuth()
    expect(await statuses(user, replica)).toEqual([200, 201])
  })
})

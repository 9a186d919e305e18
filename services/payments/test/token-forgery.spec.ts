import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { User } from './auth.js'
import { CACHE_KEY, cacheKeysFile, type Payments } from './payments.js'
import { as, newPayment } from './requests.js'
import {
  cacheKeyOf,
  entryOf,
  sendRequest,
  sessionKeyOf,
  startTokenFixture,
  type TokenFixture,
} from './token-fixture.js'
import { until } from '@malipo/testing/until'

/** What a writer of Redis can't do: forge, change, copy or replay the entries of the token cache. */

const [OLD, NEW] = ['an old key of 32 bytes or a few more', 'a new key of 32 bytes or a few more']

let fixture: TokenFixture
let first: Payments
beforeAll(async () => {
  fixture = await startTokenFixture()
  first = await fixture.replica()
})
afterAll(async () => {
  await first.close()
  await fixture.close()
})

let user: User
let other: User
beforeEach(async () => {
  user = await fixture.newUser()
  other = await fixture.newUser()
  await untilCached(user, first)
  await untilCached(other, first)
})
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function replica(overrides: Record<string, string> = {}): Promise<Payments> {
  const started = await fixture.replica(overrides)
  cleanups.push(() => started.close())
  return started
}

async function untilCached(one: User, at: Payments) {
  await until(async () => {
    const { status } = await sendRequest(one, at)
    return status === 200 && (await fixture.redisClient.exists(cacheKeyOf(one))) === 1
  })
}

const get = async (key: string) => (await fixture.redisClient.get(key)) ?? ''
const set = (key: string, value: string) => fixture.redisClient.set(key, value, 'PX', 60_000)
const forgeries = (at: Payments) => at.metric('token_cache_forgeries_total')

describe('an entry of the token cache', () => {
  it('that is copied to another token’s key is ignored, counted, and replaced', async () => {
    const reference = await newPayment(as(other, first))
    await set(cacheKeyOf(user), await get(cacheKeyOf(other)))
    const at = await replica()
    expect((await as(user, at).get(reference)).status).toBe(404)
    expect(await forgeries(at)).toBe(1)
    await until(async () => (await entryOf(user, fixture.redisClient)).sub === user.id)
    expect((await as(other, at).get(reference)).status).toBe(200)
    expect(await forgeries(at)).toBe(1)
  })

  it('that has more scopes than it was signed with is ignored and counted', async () => {
    const reference = await newPayment(as(other, first))
    const value = await get(cacheKeyOf(user))
    expect(value).toContain('payments:settle')
    await set(cacheKeyOf(user), value.replace('payments:settle', 'payments:admin'))
    const at = await replica()
    expect((await as(user, at).get(reference)).status).toBe(404)
    expect(await forgeries(at)).toBe(1)
  })

  it('of an unknown key is ignored and counted', async () => {
    const at = await replica({ TOKEN_CACHE_KEYS_FILE: cacheKeysFile(NEW) })
    const before = await fixture.validateCalls()
    expect((await sendRequest(user, at)).status).toBe(200)
    expect(await fixture.validateCalls()).toBe(before + 1)
    expect(await forgeries(at)).toBe(1)
  })

  it('that is replayed after the revocation does not count without its proof', async () => {
    const entry = await get(cacheKeyOf(user))
    await fixture.logout(user)
    await fixture.redisClient.del(sessionKeyOf(user))
    await set(cacheKeyOf(user), entry)
    const at = await replica()
    expect((await sendRequest(user, at)).status).toBe(401)
    expect((await sendRequest(user, first)).status).toBe(401)
  })

  it('that is replayed with its proof counts until TOKEN_CACHE_TTL_MS at most', async () => {
    const [entry, proof] = [await get(cacheKeyOf(user)), await get(sessionKeyOf(user))]
    await fixture.logout(user)
    await set(cacheKeyOf(user), entry)
    await set(sessionKeyOf(user), proof)
    // This replica has received the revocation.
    expect((await sendRequest(user, first)).status).toBe(401)
    await sleep(1_000)
    const at = await replica({ TOKEN_CACHE_TTL_MS: '1000' })
    expect((await sendRequest(user, at)).status).toBe(401)
  })
})

describe('the keys of the token cache', () => {
  it('are rotated without a call to auth or a restart', async () => {
    const file = cacheKeysFile(OLD, NEW)
    const before = await replica({ TOKEN_CACHE_KEYS_FILE: file })
    const after = await replica({ TOKEN_CACHE_KEYS_FILE: cacheKeysFile(NEW, OLD) })
    const [one, two] = [await fixture.newUser(), await fixture.newUser()]
    await untilCached(one, before)
    await untilCached(two, after)
    const calls = await fixture.validateCalls()
    expect((await sendRequest(one, after)).status).toBe(200)
    expect((await sendRequest(two, before)).status).toBe(200)
    expect(await fixture.validateCalls()).toBe(calls)

    writeFileSync(file, 'short')
    await until(async () => (await before.metric('token_cache_keys_unreadable')) === 1)
    expect((await sendRequest(two, before)).status).toBe(200)
    writeFileSync(file, `${CACHE_KEY}\n`)
    await until(async () => (await before.metric('token_cache_keys_unreadable')) === 0)
    // The entries of the removed keys are not used any more, even those in memory.
    expect((await sendRequest(two, before)).status).toBe(200)
    expect(await fixture.validateCalls()).toBe(calls + 1)
    expect([await forgeries(before), await forgeries(after)]).toEqual([1, 0])
  })
})

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { User } from './auth.js'
import type { Payments } from './payments.js'
import { cacheKeyOf, sendRequest, startTokenFixture, type TokenFixture } from './token-fixture.js'
import { until } from '@malipo/testing/until'

/** How long a request waits for its token check when Redis and auth hang, or lose connections silently. */

const HANG_MS = 3_600_000
/** Every response arrives within the deadline and this. */
const MARGIN_MS = 500

let fixture: TokenFixture
beforeAll(async () => {
  fixture = await startTokenFixture()
})
afterAll(() => fixture.close())

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function replica(waitMs: number): Promise<Payments> {
  const started = await fixture.replica({ DB_WAIT_MS: String(waitMs), TOKEN_CACHE_TTL_MS: '100' })
  cleanups.push(() => started.close())
  return started
}

function hang(...names: ('auth' | 'redis')[]) {
  for (const name of names) fixture.proxies[name].slow(HANG_MS)
  cleanups.push(() => {
    for (const name of names) {
      fixture.proxies[name].slow(0)
      fixture.proxies[name].cut()
    }
  })
}

async function timed(user: User, at: Payments) {
  const begin = performance.now()
  const { status, headers } = await sendRequest(user, at)
  return { status, retryAfter: headers.get('retry-after'), ms: performance.now() - begin }
}

async function untilCached(user: User, at: Payments) {
  await until(async () => {
    const { status } = await sendRequest(user, at)
    return status === 200 && (await fixture.redisClient.exists(cacheKeyOf(user))) === 1
  })
}

describe('while Redis and auth hang', () => {
  it('an unknown token gets 503 by the deadline of its request', async () => {
    const at = await replica(2_000)
    const users = await Promise.all([1, 2, 3].map(() => fixture.newUser()))
    hang('auth', 'redis')
    for (const user of users) {
      const { status, retryAfter, ms } = await timed(user, at)
      expect([status, retryAfter]).toEqual([503, '2'])
      expect(ms).toBeLessThan(2_000 + MARGIN_MS)
    }
  })

  it('a cached token gets 503 without a wait once both circuits are open', async () => {
    const at = await replica(5_000)
    const user = await fixture.newUser()
    await untilCached(user, at)
    hang('auth', 'redis')
    const breaker = (name: string) => at.metric(`token_check_breaker_open{dependency="${name}"}`)
    await until(async () => {
      expect((await timed(user, at)).ms).toBeLessThan(5_000 + MARGIN_MS)
      return (await breaker('auth')) + (await breaker('redis')) === 2
    })
    const durations: number[] = []
    for (let n = 0; n < 11; n++) {
      const { status, ms } = await timed(user, at)
      expect(status).toBe(503)
      durations.push(ms)
    }
    // One request a second probes auth. On a busy machine, some others are slow too.
    expect(durations.toSorted((a, b) => a - b)[5]).toBeLessThan(200)
  })
})

describe('while auth hangs', () => {
  it('an unknown token gets 503 by the deadline, and a cached one 200 after 500 ms', async () => {
    const at = await replica(2_000)
    const [known, unknown] = [await fixture.newUser(), await fixture.newUser()]
    await untilCached(known, at)
    hang('auth')
    const [one, other] = await Promise.all([timed(known, at), timed(unknown, at)])
    expect([one.status, other.status]).toEqual([200, 503])
    expect(one.ms).toBeLessThan(2_000)
    expect(other.ms).toBeLessThan(2_000 + MARGIN_MS)
  })
})

describe('connections to auth that are lost without a reset', () => {
  it('are all dropped after 3 s, and the call is repeated on a new one', async () => {
    const at = await replica(12_000)
    const users = await Promise.all(Array.from({ length: 5 }, () => fixture.newUser()))
    const again = await Promise.all([1, 2].map(() => fixture.newUser()))
    await Promise.all(users.map((user) => sendRequest(user, at)))
    fixture.proxies.auth.lose(false)
    const [first, second] = [await timed(again[0] as User, at), await timed(again[1] as User, at)]
    expect([first.status, second.status]).toEqual([200, 200])
    expect(first.ms).toBeGreaterThan(2_900)
    expect(first.ms).toBeLessThan(12_000)
    expect(second.ms).toBeLessThan(2_900)
  })
})

import { REVOCATION_CHANNEL } from '@malipo/kit/redis/session-revocation'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import type { Payments } from './payments.js'
import { type Fault, faults } from './token-faults.js'
import {
  expOf,
  cacheKeyOf,
  startTokenFixture,
  type TokenFixture,
  sendRequest,
} from './token-fixture.js'
import { until } from '@malipo/testing/until'

/**
 * The expected status of a request when Redis, auth or a clock fails, by the state of its token:
 *
 * - `fresh`: validated less than TOKEN_CACHE_TTL_MS ago
 * - `stale`: validated earlier, but less than TOKEN_CACHE_STALE_MS ago
 * - `revoked`: its session was revoked before the fault, and the replica received the message
 * - `missed`: its session was revoked before the fault, but the replica started after the message
 * - `unseen`: valid, and not yet used at any replica
 *
 * A valid token never gets 401, and a token of a revoked session never gets 200.
 */
const TABLE: [keyof typeof faults, ...number[]][] = [
  // Columns: fault, then the statuses for fresh, stale, revoked, missed, unseen
  ['nothing fails', /*             */ 200, 200, 401, 401, 200],
  ['Redis is down', /*             */ 200, 200, 401, 401, 200],
  ['Redis takes 200 ms', /*        */ 200, 200, 401, 401, 200],
  ['Redis hangs', /*               */ 200, 200, 401, 401, 200],
  ['Redis is flushed', /*          */ 200, 200, 401, 401, 200],
  ['Redis comes back empty', /*    */ 200, 200, 401, 401, 200],
  ['Redis comes back stale', /*    */ 200, 200, 401, 401, 200],
  ['Redis fails over', /*          */ 200, 200, 401, 401, 200],
  ['auth is down', /*              */ 200, 200, 401, 401, 503],
  ['auth hangs', /*                */ 200, 200, 401, 401, 503],
  ['auth takes 1.5 s', /*          */ 200, 200, 401, 401, 200],
  ['both are down', /*             */ 503, 503, 401, 503, 503],
  ['both hang', /*                 */ 503, 503, 401, 503, 503],
  ['Redis 200 ms, auth 1.5 s', /*  */ 200, 200, 401, 401, 200],
  ['Redis 200 ms, auth down', /*   */ 200, 200, 401, 401, 503],
  ['Redis hangs, auth 1.5 s', /*   */ 503, 503, 401, 401, 503],
  ['the clock is 30 s ahead', /*   */ 200, 200, 401, 401, 200],
  ['the clock is 30 s behind', /*  */ 200, 200, 401, 401, 200],
]
const COLUMNS = ['fresh', 'stale', 'revoked', 'missed', 'unseen'] as const

let fixture: TokenFixture
let witness: Payments
beforeAll(async () => {
  fixture = await startTokenFixture()
  witness = await fixture.replica()
})
afterAll(() => fixture.close())

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

it.each(TABLE)('if %s, the statuses are %i, %i, %i, %i, %i', async (name, ...expected) => {
  const fault: Fault = faults[name](fixture)
  const [valid, revoked, unseen] = await Promise.all([1, 2, 3].map(() => fixture.newUser()))
  if (!valid || !revoked || !unseen) throw new Error('three users')
  await untilSubscribed()
  await untilCached(valid, revoked)
  cleanups.push(() => fault.end?.())
  await fault.before?.()
  await fixture.logout(revoked)
  // With a TTL of 1 ms, the entry that is fresh at the first replica is stale at the second.
  const [first, second] = await Promise.all([
    fault.start?.() ?? fixture.replica(),
    fault.start?.({ TOKEN_CACHE_TTL_MS: '1' }) ?? fixture.replica({ TOKEN_CACHE_TTL_MS: '1' }),
  ])
  cleanups.push(first.close, second.close)
  await fault.begin?.([witness, first, second], [valid, revoked])

  const answers = await Promise.all([
    sendRequest(valid, first),
    sendRequest(valid, second),
    sendRequest(revoked, witness),
    sendRequest(revoked, first),
    sendRequest(unseen, first),
  ])
  const statuses = answers.map(({ status }, i) => `${COLUMNS[i]} ${status}`)
  expect(statuses).toEqual(expected.map((status, i) => `${COLUMNS[i]} ${status}`))
  for (const { headers } of answers.filter(({ status }) => status === 503)) {
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  }
})

it.each(['the clock is 30 s ahead', 'the clock is 30 s behind'] as const)(
  'if %s, a token is accepted until it expires by auth’s clock, and no longer',
  async (name) => {
    const LIFETIME_SECONDS = 4
    const shortLived = await fixture.otherAuth({ JWT_EXPIRES_IN: String(LIFETIME_SECONDS) })
    cleanups.push(shortLived.stop)
    const replica = await faults[name](fixture).start({ AUTH_SERVICE_URL: shortLived.url })
    cleanups.push(replica.close)
    const user = await newUser(shortLived.url)
    const expiresAt = expOf(user) * 1_000
    const responses: { status: number; sentAt: number; answeredAt: number }[] = []
    while (Date.now() < expiresAt + 1_500) {
      const sentAt = Date.now()
      const { status } = await sendRequest(user, replica)
      responses.push({ status, sentAt, answeredAt: Date.now() })
    }
    const before = responses.filter(({ answeredAt }) => answeredAt < expiresAt)
    const after = responses.filter(({ sentAt }) => sentAt >= expiresAt)
    expect(new Set(before.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(after.map(({ status }) => status))).toEqual(new Set([401]))
  },
  60_000,
)

/** Resolves when the replicas that outlive a row receive revocations again: the fault before has cut their connections. */
async function untilSubscribed() {
  const replicas = ['the first of the fixture', 'witness']
  await until(async () => {
    const [, subscribers] = await fixture.redisClient.pubsub('NUMSUB', REVOCATION_CHANNEL)
    return subscribers === replicas.length
  })
}

/** Sends requests to the replica `witness` until Redis has an entry of each user's token. */
async function untilCached(...users: User[]) {
  await until(async () => {
    await Promise.all(users.map((user) => sendRequest(user, witness)))
    return (await fixture.redisClient.exists(users.map(cacheKeyOf))) === users.length
  })
}

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import type { Payments } from './payments.js'
import { faults, type Fault } from './token-fault.js'
import { expOf, keyOf, setStage, type Stage, use } from './token-stage.js'
import { until } from './until.js'

/**
 * What becomes of a token when Redis, auth or a clock fails:
 *
 * - `fresh`: a token that auth vouched for less than TOKEN_CACHE_TTL_MS ago
 * - `old`: one whose answer is past that, but not past TOKEN_CACHE_STALE_MS
 * - `over`: one of a session that was ended before the fault, at a replica that heard of it
 * - `missed`: the same at a replica that was started after the announcement
 * - `unseen`: a good token that no replica has seen
 *
 * Never is 401 the answer to a good token, and never 200 to one that is over.
 */
const TABLE: [keyof typeof faults, ...number[]][] = [
  //                                fresh  old  over missed unseen
  ['nothing fails', /*           */ 200, 200, 401, 401, 200],
  ['Redis is down', /*           */ 200, 200, 401, 401, 200],
  ['Redis takes 200 ms', /*      */ 200, 200, 401, 401, 200],
  ['Redis hangs', /*             */ 200, 200, 401, 401, 200],
  ['Redis is flushed', /*        */ 200, 200, 401, 401, 200],
  ['Redis comes back empty', /*  */ 200, 200, 401, 401, 200],
  ['Redis comes back stale', /*  */ 200, 200, 401, 401, 200],
  ['Redis fails over', /*        */ 200, 200, 401, 401, 200],
  ['auth is down', /*            */ 200, 200, 401, 401, 503],
  ['auth hangs', /*              */ 200, 200, 401, 401, 503],
  ['auth takes 1.5 s', /*        */ 200, 200, 401, 401, 200],
  ['both are down', /*           */ 503, 503, 401, 503, 503],
  ['both hang', /*               */ 503, 503, 401, 503, 503],
  ['Redis 200 ms, auth 1.5 s', /**/ 200, 200, 401, 401, 200],
  ['Redis 200 ms, auth down', /* */ 200, 200, 401, 401, 503],
  ['Redis hangs, auth 1.5 s', /* */ 503, 503, 401, 401, 503],
  ['clock 30 s ahead', /*        */ 200, 200, 401, 401, 200],
  ['clock 30 s behind', /*       */ 200, 200, 401, 401, 200],
]
const COLUMNS = ['fresh', 'old', 'over', 'missed', 'unseen'] as const

let stage: Stage
let witness: Payments
beforeAll(async () => {
  stage = await setStage()
  witness = await stage.replica()
})
afterAll(() => stage.close())

const mends: (() => unknown)[] = []
afterEach(async () => {
  for (const mend of mends.splice(0).toReversed()) await mend()
})

it.each(TABLE)('%s: %i, %i, %i, %i, %i', async (name, ...expected) => {
  const fault: Fault = faults[name](stage)
  const [good, over, unseen] = await Promise.all([1, 2, 3].map(() => stage.newUser()))
  if (!good || !over || !unseen) throw new Error('three users')
  await untilKept(good, over)
  mends.push(() => fault.end?.())
  await fault.before?.()
  await stage.logout(over)
  // After a TTL of a millisecond an answer is old in the one replica, and fresh in the other.
  const [here, there] = await Promise.all([
    fault.start?.() ?? stage.replica(),
    fault.start?.({ TOKEN_CACHE_TTL_MS: '1' }) ?? stage.replica({ TOKEN_CACHE_TTL_MS: '1' }),
  ])
  mends.push(here.close, there.close)
  await fault.begin?.([witness, here, there], [good, over])

  const answers = await Promise.all([
    use(good, here),
    use(good, there),
    use(over, witness),
    use(over, here),
    use(unseen, here),
  ])
  const told = answers.map(({ status }, i) => `${COLUMNS[i]} ${status}`)
  expect(told).toEqual(expected.map((status, i) => `${COLUMNS[i]} ${status}`))
  for (const { headers } of answers.filter(({ status }) => status === 503)) {
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  }
})

it.each(['clock 30 s ahead', 'clock 30 s behind'] as const)(
  '%s: a token is good to its last second by auth’s clock, and not longer',
  async (name) => {
    const LIFE_SECONDS = 4
    const brief = await stage.otherAuth({ JWT_EXPIRES_IN: String(LIFE_SECONDS) })
    mends.push(brief.stop)
    const replica = await faults[name](stage).start({ AUTH_SERVICE_URL: brief.url })
    mends.push(replica.close)
    const user = await newUser(brief.url)
    const ends = expOf(user) * 1_000
    const told: { status: number; askedAt: number; answeredAt: number }[] = []
    while (Date.now() < ends + 1_500) {
      const askedAt = Date.now()
      const { status } = await use(user, replica)
      told.push({ status, askedAt, answeredAt: Date.now() })
    }
    const before = told.filter(({ answeredAt }) => answeredAt < ends)
    const after = told.filter(({ askedAt }) => askedAt >= ends)
    expect(new Set(before.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(after.map(({ status }) => status))).toEqual(new Set([401]))
  },
  60_000,
)

/** Resolves once Redis has what auth said of each, as the witness asked. */
async function untilKept(...users: User[]) {
  await until(async () => {
    await Promise.all(users.map((user) => use(user, witness)))
    return (await stage.peek.exists(users.map(keyOf))) === users.length
  })
}

import { randomBytes } from 'node:crypto'
import type { Run } from '@malipo/kit/postgres/database'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseRefreshToken } from '../src/sessions/refresh-token.js'
import { rotate } from '../src/sessions/rotate.store.js'
import { ageRefreshes, type Auth, newUser, openSession, type Person, startAuth } from './auth.js'

/** Two replicas of the service on one database. */
let auth: Auth
let other: Auth
let user: Person
beforeAll(async () => {
  auth = await startAuth()
  other = await startAuth({ DATABASE_URL: auth.databaseUrl })
  user = await newUser(auth.client)
})
afterAll(async () => {
  await other.close()
  await auth.close()
})

const GRACE_SECONDS = 60

/**
 * A model of the contract: a token answers with the same successor from its first use until its grace period
 * ends. Any later use, and the use of a token that was never issued, revokes the session.
 */
class Model {
  readonly issued: string[]
  over = false
  private readonly used = new Map<string, { successor: string; ageSeconds: number }>()

  constructor(first: string) {
    this.issued = [first]
  }

  pass(seconds: number) {
    for (const use of this.used.values()) use.ageSeconds += seconds
  }

  /**
   * Presents a token. @returns the expected successor; undefined if the token is rejected. For the current
   * token the service derives the successor, and `derived` is recorded.
   */
  present(token: string, derived = 'a successor'): string | undefined {
    if (this.over) return undefined
    if (token === this.issued.at(-1)) {
      this.used.set(token, { successor: derived, ageSeconds: 0 })
      this.issued.push(derived)
      return derived
    }
    const use = this.used.get(token)
    if (use && use.ageSeconds < GRACE_SECONDS) return use.successor
    this.over = true
    return undefined
  }
}

/**
 * Each step presents one of the issued tokens (counted back from the latest) once or several times at once,
 * presents a forged token, delivers a statement of a used token again, or lets time pass.
 */
const back = fc.nat({ max: 3 })
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ back, presents: fc.constantFrom(1, 2, 4) }) },
    { weight: 1, arbitrary: fc.record({ back, late: fc.constant(true) }) },
    { weight: 1, arbitrary: fc.constantFrom(20, 50, 70).map((seconds) => ({ seconds })) },
    { weight: 1, arbitrary: fc.constant({ forged: true }) },
  ),
  { minLength: 1, maxLength: 14 },
)

const revoked = async (sid: string) => {
  const sql = 'SELECT revoked_at IS NOT NULL AS over FROM sessions WHERE id = $1'
  return (await auth.sql<{ over: boolean }>(sql, sid))[0]?.over
}

/** Presents a token several times at once, alternating between the replicas. @returns the successors */
async function present(token: string, times: number): Promise<(string | undefined)[]> {
  const replicas = Array.from({ length: times }, (_, i) => (i % 2 ? other : auth).client)
  const body = { refresh_token: token }
  const answers = await Promise.all(
    replicas.map((client) => client.post('/api/auth/refresh', body)),
  )
  return answers.map(({ status, body: { refresh_token: next } }) => {
    if (status === 200) return next as string
    if (status === 401) return undefined
    throw new Error(`unexpected status ${status}`)
  })
}

/** Executes a statement of an earlier request again, as a connection that was lost can deliver it. */
async function deliverLate(token: string) {
  const presented = parseRefreshToken(token)
  if (!presented) throw new Error('malformed')
  const candidate = { hash: randomBytes(32), salt: randomBytes(32) }
  const origin = { address: null, userAgent: null }
  const times = { ageMs: 0, graceMs: GRACE_SECONDS * 1000, lifetimeSeconds: 3600 }
  const run: Run = async ({ text }, values) => auth.sql(text, ...values)
  await rotate(run, { presented: presented.hashes, candidate, ...times, origin })
}

type Step = typeof steps extends fc.Arbitrary<(infer One)[]> ? One : never

/** Takes one step. @returns the successors that the service returned, and those of the model */
async function take(step: Step, model: Model, sid: string) {
  const nothing = { actual: [], expected: [] }
  if ('seconds' in step) {
    model.pass(step.seconds)
    await ageRefreshes(auth, sid, step.seconds)
    return nothing
  }
  if ('late' in step) {
    // Only of a token that was used: a first delivery is not late.
    const token = model.issued.at(-2 - step.back)
    if (token !== undefined) await deliverLate(token)
    return nothing
  }
  const [first = ''] = model.issued
  const token =
    'forged' in step
      ? first.slice(0, 43) + 'x'.repeat(43)
      : (model.issued.at(-1 - step.back) ?? first)
  const actual = await present(token, 'forged' in step ? 1 : step.presents)
  const expected = model.present(token, actual[0])
  return { actual, expected: actual.map(() => expected) }
}

async function check(todo: readonly Step[]) {
  const { refreshToken, sid } = await openSession(auth.client, user)
  const model = new Model(refreshToken)
  for (const step of todo) {
    const { actual, expected } = await take(step, model, sid)
    expect(actual).toEqual(expected)
    expect(await revoked(sid)).toBe(model.over)
  }
}

it('any sequence of refreshes behaves like the model of the contract', async () => {
  await fc.assert(fc.asyncProperty(steps, check), { numRuns: 80 })
}, 240_000)

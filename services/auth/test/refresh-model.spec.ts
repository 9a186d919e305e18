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

  /** The expected successor; `new` for the current token; undefined if the token is rejected. */
  expects(token: string): string | undefined {
    if (this.over) return undefined
    if (token === this.issued.at(-1)) return 'new'
    const use = this.used.get(token)
    return use && use.ageSeconds < GRACE_SECONDS ? use.successor : undefined
  }

  successorOf(token: string) {
    return this.used.get(token)?.successor
  }

  present(token: string, successor: string | undefined) {
    if (successor === undefined) {
      this.over = true
    } else if (!this.used.has(token)) {
      this.used.set(token, { successor, ageSeconds: 0 })
      this.issued.push(successor)
    }
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

/** Presents a token several times at once, alternating between the replicas. */
function present(token: string, times: number) {
  const replicas = Array.from({ length: times }, (_, i) => (i % 2 ? other : auth).client)
  return Promise.all(
    replicas.map((client) => client.post('/api/auth/refresh', { refresh_token: token })),
  )
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

async function check(todo: readonly Step[]) {
  const { refreshToken, sid } = await openSession(auth.client, user)
  const model = new Model(refreshToken)
  for (const step of todo) {
    if ('seconds' in step) {
      model.pass(step.seconds)
      await ageRefreshes(auth, sid, step.seconds)
    } else if ('late' in step) {
      // Only of a token that was used: a first delivery is not late.
      const token = model.issued.at(-2 - step.back)
      if (token !== undefined) await deliverLate(token)
    } else {
      const token =
        'forged' in step
          ? refreshToken.slice(0, 43) + 'x'.repeat(43)
          : (model.issued.at(-1 - step.back) ?? refreshToken)
      const expected = model.expects(token)
      for (const { status, body } of await present(token, 'forged' in step ? 1 : step.presents)) {
        expect(status).toBe(expected === undefined ? 401 : 200)
        const successor = body.refresh_token as string | undefined
        if (expected !== undefined && expected !== 'new') expect(successor).toBe(expected)
        model.present(token, successor)
        // The other simultaneous requests get the same successor.
        if (successor !== undefined) expect(successor).toBe(model.successorOf(token))
      }
    }
    expect(await revoked(sid)).toBe(model.over)
  }
}

it('any sequence of refreshes behaves like the model of the contract', async () => {
  await fc.assert(fc.asyncProperty(steps, check), { numRuns: 80 })
}, 240_000)

import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Auth, openSession, newUser, type Person, startAuth } from './auth.js'

let auth: Auth
let user: Person
beforeAll(async () => {
  auth = await startAuth()
  user = await newUser(auth.client)
})
afterAll(() => auth.close())

/**
 * A model of the contract: one refresh token is current at any time, and the one that it replaced can be
 * used again for 10 s after its first use.
 */
class Model {
  readonly given: string[]
  over = false
  private before: { token: string; ageSeconds: number } | undefined

  constructor(private current: string) {
    this.given = [current]
  }

  pass(seconds: number) {
    if (this.before) this.before.ageSeconds += seconds
  }

  expects(token: string): 200 | 401 {
    if (this.over) return 401
    const repeated = token === this.before?.token && this.before.ageSeconds < 10
    return token === this.current || repeated ? 200 : 401
  }

  used(token: string, successor: string | undefined) {
    if (successor === undefined) {
      this.over = true
      return
    }
    if (token === this.current) this.before = { token, ageSeconds: 0 }
    this.current = successor
    this.given.push(successor)
  }
}

/** Each step uses one of the issued tokens, counted back from the latest, or lets time pass. */
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.nat({ max: 3 }).map((back) => ({ back })) },
    { weight: 1, arbitrary: fc.constantFrom(4, 12).map((seconds) => ({ seconds })) },
  ),
  { minLength: 1, maxLength: 12 },
)

it('any sequence of refreshes behaves like the model of the contract', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (todo) => {
      const { refreshToken, sid } = await openSession(auth.client, user)
      const model = new Model(refreshToken)
      for (const step of todo) {
        if ('seconds' in step) {
          model.pass(step.seconds)
          await auth.sql(
            `UPDATE sessions SET rotated_at = rotated_at - make_interval(secs => $2)
             WHERE id = $1`,
            sid,
            step.seconds,
          )
          continue
        }
        const token = model.given.at(-1 - step.back) ?? refreshToken
        const { status, body } = await auth.client.post('/api/auth/refresh', {
          refresh_token: token,
        })
        expect(status).toBe(model.expects(token))
        model.used(token, body.refresh_token as string | undefined)
      }
      const [row] = await auth.sql<{ over: boolean }>(
        'SELECT revoked_at IS NOT NULL AS over FROM sessions WHERE id = $1',
        sid,
      )
      expect(row?.over).toBe(model.over)
    }),
    { numRuns: 80 },
  )
}, 120_000)

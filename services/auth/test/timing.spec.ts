import { hash } from 'bcrypt'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Auth, newPerson, newUser, startAuth } from './auth.js'

/** High enough that hashing is nearly all of a login's time. */
const COST = 9
const OLD_COST = 6
/** Fewer than the failures after which a phone is held up. */
const ROUNDS = 9

let auth: Auth
beforeAll(async () => void (auth = await startAuth({ BCRYPT_COST: String(COST) })))
afterAll(() => auth.close())

async function timed(phone: string): Promise<number> {
  const begin = performance.now()
  const { status } = await auth.client.post('/api/auth/login', { phone, password: 'not this one' })
  expect(status).toBe(401)
  return performance.now() - begin
}

/** What else the machine does only ever adds to a time, so the least of several is the truest. */
const least = (times: number[]) => Math.min(...times)

it('takes the same time to refuse an unknown phone, a wrong password and an old hash', async () => {
  const known = await newUser(auth.client)
  const old = await newUser(auth.client)
  const oldHash = await hash(old.password, OLD_COST)
  await auth.sql('UPDATE users SET password_hash = $2 WHERE id = $1', old.id, oldHash)
  await timed(newPerson().phone)

  const times = { known: [] as number[], unknown: [] as number[], old: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    times.known.push(await timed(known.phone))
    times.unknown.push(await timed(newPerson().phone))
    times.old.push(await timed(old.phone))
  }
  const reference = least(times.known)
  // Without the dummy it is a tenth, and with the old hash alone an eighth and what is around it.
  for (const other of [least(times.unknown), least(times.old)]) {
    expect(other / reference).toBeGreaterThan(0.6)
    expect(other / reference).toBeLessThan(1.6)
  }
})

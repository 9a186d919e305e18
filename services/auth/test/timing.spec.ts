import { hash } from 'bcrypt'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Auth, newPerson, newUser, startAuth } from './auth.js'

/** A bcrypt cost at which hashing dominates the time of a login. */
const COST = 9
const OLD_COST = 6
/** Attempts for each phone, below the limit of failed logins to one phone. */
const ROUNDS = 9
/** Number of pairs of users, one with a hash of the current cost and one with a hash of an old cost. */
const PAIRS = 4

let auth: Auth
beforeAll(async () => void (auth = await startAuth({ BCRYPT_COST: String(COST) })))
afterAll(() => auth.close())

async function timed(phone: string): Promise<number> {
  const begin = performance.now()
  const { status } = await auth.client.post('/api/auth/login', { phone, password: 'not this one' })
  expect(status).toBe(401)
  return performance.now() - begin
}

/** The fastest of many rejections: other load on the machine only adds time. */
const fastest = (times: number[]) => Math.min(...times)

it('takes the same time to reject an unknown phone, a wrong password and an old hash', async () => {
  await timed(newPerson().phone)
  const times = { known: [] as number[], unknown: [] as number[], old: [] as number[] }
  for (let pair = 0; pair < PAIRS; pair++) {
    const known = await newUser(auth.client)
    const old = await newUser(auth.client)
    const oldHash = await hash(old.password, OLD_COST)
    await auth.sql('UPDATE users SET password_hash = $2 WHERE id = $1', old.id, oldHash)
    for (let round = 0; round < ROUNDS; round++) {
      times.known.push(await timed(known.phone))
      times.unknown.push(await timed(newPerson().phone))
      times.old.push(await timed(old.phone))
    }
  }
  const reference = fastest(times.known)
  // Without dummy hashes, an unknown phone would take a tenth of the time, and an old hash about an eighth.
  for (const other of [fastest(times.unknown), fastest(times.old)]) {
    expect(other / reference).toBeGreaterThan(0.6)
    expect(other / reference).toBeLessThan(1.6)
  }
})

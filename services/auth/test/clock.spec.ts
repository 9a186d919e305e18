import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Auth, isValid, newSession, startAuth } from './auth.js'

const actual = Date.now.bind(Date)

describe('a replica whose clock is an hour off', () => {
  let accurate: Auth
  beforeAll(async () => void (accurate = await startAuth()))
  afterAll(async () => {
    vi.restoreAllMocks()
    await accurate.close()
  })

  it.each([-3_600_000, 3_600_000])('by %i ms signs and validates by the database’s', async (ms) => {
    vi.spyOn(Date, 'now').mockImplementation(() => actual() + ms)
    const auth = await startAuth({ DATABASE_URL: accurate.databaseUrl })
    const { token, iat, exp } = await newSession(auth.client)
    expect(Math.abs(iat * 1000 - actual())).toBeLessThan(10_000)
    expect(exp - iat).toBe(900)
    expect(await isValid(auth.client, token)).toBe(true)
    await auth.close()
    vi.restoreAllMocks()
  })
})

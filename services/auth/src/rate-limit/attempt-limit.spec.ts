import { describe, expect, it } from 'vitest'
import { ACCOUNT_LIMITS, attemptsPerDay, PART_LIMITS, quotaOf } from './attempt-limit.js'

it('allows at most 100 wrong passwords of an account in 24 hours', () => {
  const perDay = Object.values(ACCOUNT_LIMITS).map(attemptsPerDay)
  expect(perDay.reduce((sum, each) => sum + each)).toBeLessThanOrEqual(100)
})

it.each([
  ['a network', PART_LIMITS.network, ACCOUNT_LIMITS.account],
  ['a recognised client', PART_LIMITS.client, ACCOUNT_LIMITS.clients],
])('leaves attempts of the account to others, however long %s guesses', (_, part, whole) => {
  expect(part.intervalSeconds).toBe(whole.intervalSeconds)
  expect(part.burst).toBeLessThan(whole.burst)
})

describe('a quota', () => {
  const LIMIT = { name: 'login', burst: 3, intervalSeconds: 100 }

  it.each([
    [-5, 3, 0],
    [0, 3, 0],
    [100, 2, 100],
    [100.0004, 2, 101],
    [40.2, 2, 41],
    [140, 1, 40],
    [200.1, 0, 1],
    [250, 0, 50],
    [300, 0, 100],
  ])('whose attempts expire in %d s has %d left, and the next in %d s', (seconds, left, next) => {
    const { isAllowed, remaining, nextSeconds, headers } = quotaOf(LIMIT, seconds)
    expect([isAllowed, remaining, nextSeconds]).toEqual([left > 0, left, next])
    expect(headers).toEqual({
      'ratelimit-policy': '"login";q=3;w=300',
      ratelimit: `"login";r=${left};t=${next}`,
    })
  })
})

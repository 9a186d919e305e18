import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cacheLifetimeMs, CLOCK_SKEW_MS, freshness, parseCachedToken } from './cached-token.js'

const TIMES = { ttlMs: 60_000, staleMs: 900_000 }
/** An arbitrary time in ms; the tokens here expire an hour later. */
const T = 1_800_000_000_000
const EXP = T / 1000 + 3_600

describe('the lifetime of a cache entry', () => {
  it.each([
    ['is the longer of both cache times', EXP, TIMES, 900_000],
    ['ends 30 s before the token expires', T / 1000 + 600, TIMES, 570_000],
    ['is the TTL without a stale time', EXP, { ttlMs: 60_000, staleMs: 0 }, 60_000],
    ['is the stale time without a TTL', EXP, { ttlMs: 0, staleMs: 900_000 }, 900_000],
    ['is 0 without either', EXP, { ttlMs: 0, staleMs: 0 }, 0],
    ['is 0 in the last 30 s of the token', T / 1000 + 30, TIMES, 0],
    ['is the longer of both for a key that does not expire', null, TIMES, 900_000],
  ])('%s', (_, exp, times, expected) => {
    expect(cacheLifetimeMs(exp, T, times)).toBe(expected)
  })
})

describe('a cache entry', () => {
  const at = (ageMs: number, ownMs = T, times = TIMES) =>
    freshness({ at: T, exp: EXP }, { redisMs: T + ageMs, ownMs }, times)

  it.each([
    [0, 'fresh'],
    [59_999, 'fresh'],
    [60_000, 'stale'],
    [899_999, 'stale'],
    [900_000, 'unusable'],
    [-1, 'unusable'],
  ])('with an age of %i ms is %s', (ageMs, expected) => {
    expect(at(ageMs)).toBe(expected)
  })

  it('of a key that does not expire is limited by its age alone', () => {
    const clocks = (ageMs: number) => ({ redisMs: T + ageMs, ownMs: T * 10 })
    expect(freshness({ at: T, exp: null }, clocks(59_999), TIMES)).toBe('fresh')
    expect(freshness({ at: T, exp: null }, clocks(899_999), TIMES)).toBe('stale')
    expect(freshness({ at: T, exp: null }, clocks(900_000), TIMES)).toBe('unusable')
  })

  it('is unusable in the last 30 s of its token, whatever its age', () => {
    expect(at(0, EXP * 1000 - CLOCK_SKEW_MS - 1)).toBe('fresh')
    expect(at(0, EXP * 1000 - CLOCK_SKEW_MS)).toBe('unusable')
  })

  it('is unusable after its token has expired, even if clocks differ by 30 s', () => {
    const skew = fc.integer({ min: -CLOCK_SKEW_MS, max: CLOCK_SKEW_MS })
    fc.assert(
      fc.property(skew, fc.nat(10_000_000), (skewMs, laterMs) => {
        const trueMs = EXP * 1000 + laterMs
        return at(0, trueMs + skewMs) === 'unusable'
      }),
    )
  })

  it('is unusable if both cache times are 0', () => {
    expect(at(0, T, { ttlMs: 0, staleMs: 0 })).toBe('unusable')
  })
})

describe('the JSON of a cache entry', () => {
  const ENTRY = { sub: 'a', sid: 'b', scope: 'c', exp: 1, at: 2, proof: 'd', dataset: 'e' }

  it('is parsed as it was written', () => {
    const entry = { ...ENTRY, merchant: 'm' }
    expect(parseCachedToken(JSON.stringify(entry))).toEqual(entry)
    const key = { ...entry, exp: null }
    expect(parseCachedToken(JSON.stringify(key))).toEqual(key)
  })

  it('without a merchant is of the user’s own merchant', () => {
    expect(parseCachedToken(JSON.stringify(ENTRY))).toEqual({ ...ENTRY, merchant: 'a' })
  })

  it.each([
    'not json',
    'null',
    '[]',
    '1',
    ...Object.keys(ENTRY).map((name) => JSON.stringify({ ...ENTRY, [name]: undefined })),
    JSON.stringify({ ...ENTRY, at: '2' }),
    JSON.stringify({ ...ENTRY, exp: '1' }),
    JSON.stringify({ ...ENTRY, merchant: 1 }),
  ])('is ignored if it is %s', (json) => {
    expect(parseCachedToken(json)).toBeUndefined()
  })
})

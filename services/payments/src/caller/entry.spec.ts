import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keptMs, parseEntry, SKEW_MS, useOf } from './entry.js'

const TIMES = { ttlMs: 60_000, staleMs: 900_000 }
/** Some time in ms; tokens here end an hour later. */
const T = 1_800_000_000_000
const EXP = T / 1000 + 3_600

describe('an entry is kept', () => {
  it.each([
    ['until it is too old to be of use', EXP, TIMES, 900_000],
    ['until 30 s before its token ends', T / 1000 + 600, TIMES, 570_000],
    ['as long as it is fresh, with no staleness', EXP, { ttlMs: 60_000, staleMs: 0 }, 60_000],
    ['for an outage of auth only, with no TTL', EXP, { ttlMs: 0, staleMs: 900_000 }, 900_000],
    ['not at all with neither', EXP, { ttlMs: 0, staleMs: 0 }, 0],
    ['not at all in its token’s last 30 s', T / 1000 + 30, TIMES, 0],
  ])('%s', (_, exp, times, expected) => {
    expect(keptMs(exp, T, times)).toBe(expected)
  })
})

describe('an entry', () => {
  const use = (ageMs: number, ownMs = T, times = TIMES) =>
    useOf({ at: T, exp: EXP }, { redisMs: T + ageMs, ownMs }, times)

  it.each([
    [0, 'fresh'],
    [59_999, 'fresh'],
    [60_000, 'stale'],
    [899_999, 'stale'],
    [900_000, 'none'],
    [-1, 'none'],
  ])('of an age of %i ms is %s', (ageMs, expected) => {
    expect(use(ageMs)).toBe(expected)
  })

  it('is of no use in its token’s last 30 s, whatever its age', () => {
    expect(use(0, EXP * 1000 - SKEW_MS - 1)).toBe('fresh')
    expect(use(0, EXP * 1000 - SKEW_MS)).toBe('none')
  })

  it('is never used after its token has ended, by clocks that differ by 30 s', () => {
    const skew = fc.integer({ min: -SKEW_MS, max: SKEW_MS })
    fc.assert(
      fc.property(skew, fc.nat(10_000_000), (skewMs, laterMs) => {
        const trueMs = EXP * 1000 + laterMs
        return use(0, trueMs + skewMs) === 'none'
      }),
    )
  })

  it('is neither fresh nor stale with 0 for both', () => {
    expect(use(0, T, { ttlMs: 0, staleMs: 0 })).toBe('none')
  })
})

describe('what Redis has under a token’s name', () => {
  const ENTRY = { sub: 'a', sid: 'b', scope: 'c', exp: 1, at: 2, generation: 'd' }

  it('is read as it was written', () => {
    expect(parseEntry(JSON.stringify(ENTRY))).toEqual(ENTRY)
  })

  it.each([
    'not json',
    'null',
    '[]',
    '1',
    ...Object.keys(ENTRY).map((name) => JSON.stringify({ ...ENTRY, [name]: undefined })),
    JSON.stringify({ ...ENTRY, at: '2' }),
    JSON.stringify({ ...ENTRY, exp: null }),
  ])('is nothing when it is %s', (text) => {
    expect(parseEntry(text)).toBeUndefined()
  })
})

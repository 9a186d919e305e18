import { describe, expect, it } from 'vitest'
import { DELAYS_SECONDS, nextTrySeconds } from './schedule.js'

const tried = { tries: 1, retryAfterSeconds: undefined, scale: 1, random: 0 }

describe('the next try', () => {
  it('follows the schedule, which ends after 10 tries in 75 hours', () => {
    const delays = Array.from({ length: 10 }, (_, i) => nextTrySeconds({ ...tried, tries: i + 1 }))
    expect(delays).toEqual([...DELAYS_SECONDS, undefined])
    expect(Math.floor(DELAYS_SECONDS.reduce((sum, each) => sum + each, 0) / 3_600)).toBe(75)
  })

  it('is later by at most a fifth', () => {
    expect(nextTrySeconds({ ...tried, tries: 2, random: 1 })).toBe(360)
  })

  it('is not before Retry-After, which counts up to a day', () => {
    expect(nextTrySeconds({ ...tried, retryAfterSeconds: 60 })).toBe(60)
    expect(nextTrySeconds({ ...tried, retryAfterSeconds: 1 })).toBe(5)
    expect(nextTrySeconds({ ...tried, retryAfterSeconds: 1e9 })).toBe(86_400)
  })

  it('is scaled with all delays', () => {
    expect(nextTrySeconds({ ...tried, retryAfterSeconds: 600, scale: 0.01 })).toBe(6)
  })
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Pace } from './pace.js'

describe('the pace of deliveries', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it.each([
    [500, 50],
    [10, 1],
    [1, 1],
  ])('lets a tenth of %d a second begin at once', (perSecond, burst) => {
    expect(new Pace(perSecond).available()).toBe(burst)
  })

  it('saves no more than a burst', () => {
    const pace = new Pace(500)
    vi.advanceTimersByTime(60_000)
    expect(pace.available()).toBe(50)
  })

  it.each([1, 7, 500, 10_000])('reaches and never exceeds %d a second', (perSecond) => {
    const pace = new Pace(perSecond)
    let begun = 0
    for (let ms = 0; ms < 10_000;) {
      const count = pace.available()
      pace.take(count)
      begun += count
      const pause = Math.ceil(pace.pauseMs())
      expect(pause).toBeGreaterThan(0)
      vi.advanceTimersByTime(pause)
      ms += pause
    }
    expect(begun).toBeLessThanOrEqual(10 * perSecond + Math.max(1, perSecond / 10))
    expect(begun).toBeGreaterThanOrEqual(9.5 * perSecond - 1)
  })

  it('pauses until half of a burst may begin', () => {
    const pace = new Pace(500)
    pace.take(pace.available())
    expect(pace.pauseMs()).toBeCloseTo(50)
    vi.advanceTimersByTime(50)
    expect(pace.available()).toBe(25)
    expect(pace.pauseMs()).toBe(0)
  })
})

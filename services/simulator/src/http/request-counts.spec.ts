import { describe, expect, it } from 'vitest'
import { RequestCounts } from './request-counts.js'
import { SlidingWindow } from './sliding-window.js'

describe('the counts of requests', () => {
  it('have the peak of any second, wherever it begins', () => {
    const counts = new RequestCounts()
    // Three in each calendar second, five in the second between the two.
    for (const ms of [100, 700, 800, 1_100, 1_200, 1_690, 3_000]) counts.received('status', ms)
    counts.answered('status', 200)
    counts.answered('status', 429)
    counts.answered('status', 200)
    expect(counts.all()).toEqual({
      status: {
        total: 7,
        statuses: { 200: 2, 429: 1 },
        peakPerSecond: 5,
        seconds: { 0: 3, 1: 3, 3: 1 },
      },
    })
  })

  it('remember the latest 600 seconds', () => {
    const counts = new RequestCounts()
    for (let second = 0; second < 700; second++) counts.received('status', second * 1_000)
    const { seconds } = counts.all().status!
    expect(Object.keys(seconds)).toHaveLength(600)
    expect(seconds[99]).toBeUndefined()
  })
})

describe('the limit of a sliding second', () => {
  it('admits as many requests as configured in any second', () => {
    const window = new SlidingWindow(2)
    const times = [0, 500, 600, 999, 1_000, 1_100, 1_500]
    expect(times.map((ms) => window.take(ms))).toEqual([
      true,
      true,
      false,
      false,
      true,
      false,
      true,
    ])
  })
})

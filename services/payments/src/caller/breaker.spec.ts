import { beforeEach, describe, expect, it } from 'vitest'
import { Breaker } from './breaker.js'

describe('a breaker', () => {
  let breaker: Breaker
  beforeEach(() => {
    breaker = new Breaker({ failures: 3, pauseMs: 100 })
  })
  const fail = (times: number, at: number) => {
    for (let n = 0; n < times; n++) breaker.failed(at)
  }

  it('lets every call go while failures are few', () => {
    fail(2, 0)
    expect(breaker.isOpen).toBe(false)
    expect([0, 0, 1].map((now) => breaker.admits(now))).toEqual([true, true, true])
  })

  it('counts failures in a row only', () => {
    fail(2, 0)
    breaker.succeeded()
    fail(2, 0)
    expect(breaker.isOpen).toBe(false)
  })

  it('open, lets one call go in each pause', () => {
    fail(3, 0)
    expect(breaker.isOpen).toBe(true)
    const admitted = [0, 99, 100, 100, 150, 199, 200, 201].filter((now) => breaker.admits(now))
    expect(admitted).toEqual([100, 200])
  })

  it('is open for another pause after a try that failed', () => {
    fail(3, 0)
    expect(breaker.admits(100)).toBe(true)
    breaker.failed(180)
    expect(breaker.admits(279)).toBe(false)
    expect(breaker.admits(280)).toBe(true)
  })

  it('lets all go after a try that succeeded, however many failures there were', () => {
    fail(30, 0)
    breaker.succeeded()
    expect([0, 0].map((now) => breaker.admits(now))).toEqual([true, true])
  })
})

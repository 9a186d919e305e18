import { beforeEach, describe, expect, it } from 'vitest'
import { CircuitBreaker } from './circuit-breaker.js'

describe('a circuit breaker', () => {
  let breaker: CircuitBreaker
  beforeEach(() => {
    breaker = new CircuitBreaker({ maxFailures: 3, retryIntervalMs: 100 })
  })
  const fail = (times: number, at: number) => {
    for (let n = 0; n < times; n++) breaker.recordFailure(at)
  }

  it('allows every call below the failure limit', () => {
    fail(2, 0)
    expect(breaker.isOpen).toBe(false)
    expect([0, 0, 1].map((now) => breaker.allows(now))).toEqual([true, true, true])
  })

  it('counts only consecutive failures', () => {
    fail(2, 0)
    breaker.recordSuccess()
    fail(2, 0)
    expect(breaker.isOpen).toBe(false)
  })

  it('allows one call per retry interval while it is open', () => {
    fail(3, 0)
    expect(breaker.isOpen).toBe(true)
    const allowed = [0, 99, 100, 100, 150, 199, 200, 201].filter((now) => breaker.allows(now))
    expect(allowed).toEqual([100, 200])
  })

  it('waits another retry interval after a failed retry', () => {
    fail(3, 0)
    expect(breaker.allows(100)).toBe(true)
    breaker.recordFailure(180)
    expect(breaker.allows(279)).toBe(false)
    expect(breaker.allows(280)).toBe(true)
  })

  it('closes after one success, however many calls failed before', () => {
    fail(30, 0)
    breaker.recordSuccess()
    expect([0, 0].map((now) => breaker.allows(now))).toEqual([true, true])
  })
})

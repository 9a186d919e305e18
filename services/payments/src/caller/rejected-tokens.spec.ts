import { beforeEach, describe, expect, it } from 'vitest'
import { RejectedTokens } from './rejected-tokens.js'

describe('rejected tokens', () => {
  let rejected: RejectedTokens
  beforeEach(() => {
    rejected = new RejectedTokens()
  })
  const flood = (count: number, addressOf: (n: number) => string) => {
    for (let n = 0; n < count; n++) rejected.add(`token ${n}`, addressOf(n))
  }

  it('are remembered', () => {
    expect(rejected.has('a')).toBe(false)
    rejected.add('a', '192.0.2.1')
    expect(rejected.has('a')).toBe(true)
  })

  it('are bounded in number', () => {
    flood(10_001, (n) => String(n))
    expect(rejected.has('token 0')).toBe(false)
    expect(rejected.has('token 10000')).toBe(true)
  })

  it('throttle an address after 100 of them, and no other address', () => {
    flood(99, () => '192.0.2.1')
    expect(rejected.retryAfterSeconds('192.0.2.1')).toBe(0)
    flood(1, () => '192.0.2.1')
    expect(rejected.retryAfterSeconds('192.0.2.1')).toBeGreaterThan(0)
    expect(rejected.retryAfterSeconds('192.0.2.1')).toBeLessThanOrEqual(10)
    expect(rejected.retryAfterSeconds('192.0.2.2')).toBe(0)
  })

  it('throttle a client that changes addresses within its own /64 network', () => {
    flood(100, (n) => `2001:db8:1:2::${n.toString(16)}`)
    expect(rejected.retryAfterSeconds('2001:db8:1:2:ffff::1')).toBeGreaterThan(0)
    expect(rejected.retryAfterSeconds('2001:db8:1:3::1')).toBe(0)
  })

  it.each([
    ['/56', 200, (n: number) => `2001:db8:1:2${(n % 90) + 10}::1`, '2001:db8:1:300::1'],
    ['/48', 400, (n: number) => `2001:db8:1:${(n % 90) + 10}00::1`, '2001:db8:2::1'],
  ])('throttle a %s network after %d of them', (_, limit, addressOf, outside) => {
    flood(limit - 1, addressOf)
    expect(rejected.retryAfterSeconds(addressOf(0))).toBe(0)
    flood(1, addressOf)
    expect(rejected.retryAfterSeconds(addressOf(0))).toBeGreaterThan(0)
    expect(rejected.retryAfterSeconds(outside)).toBe(0)
  })
})

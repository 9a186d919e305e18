import { beforeEach, describe, expect, it } from 'vitest'
import { BadTokens, networkOf } from './bad-tokens.js'

describe('bad tokens', () => {
  let bad: BadTokens
  beforeEach(() => {
    bad = new BadTokens()
  })
  const flood = async (count: number, addressOf: (n: number) => string) => {
    for (let n = 0; n < count; n++) await bad.refuse(`token ${n}`, addressOf(n))
  }

  it('are known again', async () => {
    expect(bad.isRefused('a')).toBe(false)
    await bad.refuse('a', '192.0.2.1')
    expect(bad.isRefused('a')).toBe(true)
  })

  it('are bounded in number', async () => {
    await flood(10_001, (n) => String(n))
    expect(bad.isRefused('token 0')).toBe(false)
    expect(bad.isRefused('token 10000')).toBe(true)
  })

  it('hold up the address that sent a hundred of them, and no other', async () => {
    await flood(99, () => '192.0.2.1')
    expect(await bad.waitSeconds('192.0.2.1')).toBe(0)
    await flood(1, () => '192.0.2.1')
    expect(await bad.waitSeconds('192.0.2.1')).toBeGreaterThan(0)
    expect(await bad.waitSeconds('192.0.2.1')).toBeLessThanOrEqual(10)
    expect(await bad.waitSeconds('192.0.2.2')).toBe(0)
  })

  it('hold up a customer who changes addresses in their own network', async () => {
    await flood(100, (n) => `2001:db8:1:2::${n.toString(16)}`)
    expect(await bad.waitSeconds('2001:db8:1:2:ffff::1')).toBeGreaterThan(0)
    expect(await bad.waitSeconds('2001:db8:1:3::1')).toBe(0)
  })
})

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:DB8:0001:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['unknown', 'unknown'],
  ['', ''],
])('the network of %j is %j', (address, expected) => {
  expect(networkOf(address)).toBe(expected)
})

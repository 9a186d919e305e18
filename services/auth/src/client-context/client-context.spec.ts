import { describe, expect, it } from 'vitest'
import { normalAddress, originOf } from './client-context.js'

describe('an address', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:203.0.113.7', '203.0.113.7'],
    ['2001:DB8::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['unknown', null],
    ['203.0.113.7:80', null],
    ["' OR 1 = 1 --", null],
    ['', null],
    [undefined, null],
  ])('%s is %s', (given, normal) => {
    expect(normalAddress(given)).toBe(normal)
  })
})

it.each([
  [undefined, null],
  ['', null],
  ['curl/8', 'curl/8'],
  ['x'.repeat(300), 'x'.repeat(256)],
])('the user agent %j is stored as %j', (given, stored) => {
  expect(originOf({ ip: '::1', headers: { 'user-agent': given } })).toEqual({
    address: '::1',
    userAgent: stored,
  })
})

import { expect, it } from 'vitest'
import { flowOf, originOf } from './client-context.js'

it.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['', null],
])('the address %j is stored as %j', (ip, address) => {
  expect(originOf({ ip, headers: {} })).toEqual({ address, userAgent: null })
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

it('a customer with a /48 of IPv6 has one turn in the queue for bcrypt', () => {
  const flow = (address: string) =>
    flowOf({ origin: { address, userAgent: null } }, '+256772123456')
  expect(flow('2001:db8:1:ff::1')).toEqual(flow('2001:db8:1::1'))
  expect(flow('2001:db8:2::1').network).not.toBe(flow('2001:db8:1::1').network)
})

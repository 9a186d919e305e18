import { expect, it } from 'vitest'
import { originOf } from './client-context.js'

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

import { describe, expect, it } from 'vitest'
import { canonicalAddress, isHost, parseNetwork } from './ip-address.js'

it.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::FFFF:cb00:7107', '203.0.113.7'],
  ['0:0:0:0:0:ffff:cb00:7107', '203.0.113.7'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::1', '::1'],
  ['unknown', undefined],
  ['203.0.113.7:80', undefined],
  ['[::1]', undefined],
  ['1', undefined],
  ['0177.0.0.1', undefined],
  ["' OR 1 = 1 --", undefined],
  ['', undefined],
  [undefined, undefined],
])('the canonical form of %j is %j', (text, address) => {
  expect(canonicalAddress(text)).toBe(address)
})

describe('parseNetwork', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0', 8, 'ipv4'],
    ['127.0.0.1', '127.0.0.1', 32, 'ipv4'],
    ['FD00::/8', 'fd00::', 8, 'ipv6'],
    ['::1', '::1', 128, 'ipv6'],
    ['::ffff:10.0.0.0/104', '10.0.0.0', 8, 'ipv4'],
    ['::ffff:10.0.0.1', '10.0.0.1', 32, 'ipv4'],
    ['0.0.0.0/0', '0.0.0.0', 0, 'ipv4'],
  ])('parses %s', (text, address, prefix, family) => {
    expect(parseNetwork(text)).toEqual({ address, prefix, family })
  })

  it.each(['', '/8', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '::/129'])(
    'rejects %j',
    (text) => expect(parseNetwork(text)).toBeUndefined(),
  )

  it.each(['host', '1', '10', 'a;b', '10.0.0.0/255.0.0.0', '::ffff:10.0.0.0/95', '10.0.0.0 /8'])(
    'rejects %j',
    (text) => expect(parseNetwork(text)).toBeUndefined(),
  )
})

it.each([
  ['localhost', true],
  ['db-1.example.com', true],
  ['redis_1', true],
  ['db.example.com.', true],
  ['10.0.0.1', true],
  ['2001:db8::1', true],
  ['10.0.0', false],
  ['db:5432', false],
  ['[::1]', false],
  ['-db', false],
  ['a b', false],
  ['a,b', false],
  ['a@b', false],
  ['', false],
])('%j is a host: %s', (text, expected) => {
  expect(isHost(text)).toBe(expected)
})

import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { clientAddresses } from './client-address.js'

const PROXIES = ['10.0.0.0/8', 'fd00::/8', '192.0.2.1']

function addressOf(remoteAddress: string, forwarded?: string, proxies = PROXIES) {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  const socket = { remoteAddress } as IncomingMessage['socket']
  return clientAddresses(proxies)({ headers, socket })
}

describe('the address of a client', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:51432', '203.0.113.7'],
    ['"203.0.113.7:51432"', '203.0.113.7'],
    ['203.0.113.7:_port', '203.0.113.7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['[2001:DB8::7]:51432', '2001:db8::7'],
    ['"[2001:db8::7]:51432"', '2001:db8::7'],
    ['2001:db8::7', '2001:db8::7'],
    ['"2001:db8::7"', '2001:db8::7'],
    ['2001:db8::7%eth0', '2001:db8::7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['[::ffff:203.0.113.7]:80', '203.0.113.7'],
    [' 203.0.113.7 ', '203.0.113.7'],
    ['203.0.113.7,', '203.0.113.7'],
  ])('forwarded as %j by a trusted proxy is %s', (forwarded, address) => {
    expect(addressOf('10.1.2.3', forwarded)).toBe(address)
  })

  it.each([
    'unknown',
    '_hidden',
    '',
    ',',
    'host',
    '1',
    '[203.0.113.7]',
    '[::1',
    '203.0.113.7:',
    '203.0.113.7:123456',
    '203.0.113.256',
    'for=203.0.113.7',
  ])('forwarded as %j is the address of the proxy', (forwarded) =>
    expect(addressOf('10.1.2.3', forwarded)).toBe('10.1.2.3'),
  )

  it.each([
    ['198.51.100.1, 203.0.113.7', '203.0.113.7'],
    ['203.0.113.7, 10.9.9.9', '203.0.113.7'],
    ['203.0.113.7:1, [fd00::1]:2, 192.0.2.1:3', '203.0.113.7'],
    ['10.7.7.7, 10.9.9.9', '10.7.7.7'],
    ['203.0.113.7, unknown, 10.9.9.9', '10.9.9.9'],
    ['10.7.7.7, unknown', '10.1.2.3'],
    ['203.0.113.7, , 10.9.9.9', '203.0.113.7'],
  ])('in the chain %j is the nearest hop that is not a trusted proxy', (forwarded, address) => {
    expect(addressOf('10.1.2.3', forwarded)).toBe(address)
  })

  it('is that of the connection without a trusted proxy', () => {
    expect(addressOf('203.0.113.9', '203.0.113.7')).toBe('203.0.113.9')
    expect(addressOf('10.1.2.3', '203.0.113.7', [])).toBe('10.1.2.3')
    expect(addressOf('10.1.2.3')).toBe('10.1.2.3')
  })

  it.each(['10.1.2.3', '::ffff:10.1.2.3', 'fd00::1', 'FD12:3456::1', '::ffff:192.0.2.1'])(
    'is forwarded by the trusted proxy %s',
    (proxy) => expect(addressOf(proxy, '203.0.113.7')).toBe('203.0.113.7'),
  )

  it('is canonical for a connection to an IPv6 socket', () => {
    expect(addressOf('::ffff:203.0.113.7')).toBe('203.0.113.7')
    expect(addressOf('fe80::1%eth0')).toBe('fe80::1')
  })

  it('is trusted by a network in IPv4-mapped form', () => {
    expect(addressOf('10.1.2.3', '203.0.113.7', ['::ffff:10.0.0.0/104'])).toBe('203.0.113.7')
  })
})

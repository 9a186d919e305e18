import { parseNetwork } from '@malipo/kit/config/ip-address'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPublicAddress } from './address.js'

const network = (text: string) => parseNetwork(text)!
const OPEN = { denied: [], nat64: undefined }
const bytesOf = (address: string) => address.split('.').map(Number)
const hex = (byte: number | undefined) => (byte ?? 0).toString(16).padStart(2, '0')

describe('a public address', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.1',
    '168.63.129.15',
    '168.63.129.17',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450::1',
    '2c0f:fb50::1',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
  ])('is %s', (address) => {
    expect(isPublicAddress(address, OPEN)).toBe(true)
  })

  it.each([
    '',
    'localhost',
    '8.8.8',
    '0x8.8.8.8',
    '010.8.8.8',
    '134744072',
    '8.8.8.8:80',
    '8.8.8.8/32',
    ' 8.8.8.8',
    '[2606:4700::1]',
    '2606:4700::1%eth0',
    'fe80::1%eth0',
    '1fff:ffff::1',
    '4000::1',
    '::8.8.8.8',
    '::808:808',
    '0:0:0:0:0:0:8.8.8.8',
    '0::8.8.8.8',
    '64:ff9b::8.8.8.8%eth0',
    '64:ff9b:1::8.8.8.8',
    '64:ff9a::8.8.8.8',
  ])('is not %j', (address) => {
    expect(isPublicAddress(address, OPEN)).toBe(false)
  })
})

describe('the denied networks', () => {
  const rules = { denied: ['44.0.0.0/16', '2600:1f00::/32'].map(network), nat64: undefined }

  it.each([
    ['44.0.255.255', false],
    ['44.1.0.0', true],
    ['::ffff:44.0.0.1', false],
    ['64:ff9b::44.0.0.1', false],
    ['64:ff9b::44.1.0.0', true],
    ['2600:1f00:ffff::1', false],
    ['2600:1f01::1', true],
  ])('decide that %s is public: %s', (address, expected) => {
    expect(isPublicAddress(address, rules)).toBe(expected)
  })
})

describe('a NAT64 prefix', () => {
  // RFC 6052, section 2.4, with another address than its private one.
  it.each([
    ['2001:4db8::/32', '2001:4db8:c000:221::', '192.0.2.33'],
    ['2001:4db8::/32', '2001:4db8:808:808::', '8.8.8.8'],
    ['2001:4db8:100::/40', '2001:4db8:108:808:8::', '8.8.8.8'],
    ['2001:4db8:122::/48', '2001:4db8:122:808:8:800::', '8.8.8.8'],
    ['2001:4db8:122:300::/56', '2001:4db8:122:308:8:808::', '8.8.8.8'],
    ['2001:4db8:122:344::/64', '2001:4db8:122:344:8:808:800::', '8.8.8.8'],
    ['2001:4db8:122:344::/96', '2001:4db8:122:344::808:808', '8.8.8.8'],
    ['64:ff9b:1::/96', '64:ff9b:1::808:808', '8.8.8.8'],
  ])('%s: %s stands for %s', (prefix, address, ipv4) => {
    const embedded = isPublicAddress(ipv4, OPEN)
    expect(isPublicAddress(address, { denied: [], nat64: network(prefix) })).toBe(embedded)
    // Judged as this one, and not as any other.
    const rules = { denied: [network(ipv4)], nat64: network(prefix) }
    expect(isPublicAddress(address, rules)).toBe(false)
  })

  it('is refused for its private addresses, and the well-known one stays', () => {
    const rules = { denied: [], nat64: network('2600:64::/96') }
    expect(isPublicAddress('2600:64::10.0.0.1', rules)).toBe(false)
    expect(isPublicAddress('2600:64::8.8.8.8', rules)).toBe(true)
    expect(isPublicAddress('64:ff9b::10.0.0.1', rules)).toBe(false)
    expect(isPublicAddress('64:ff9b::8.8.8.8', rules)).toBe(true)
  })
})

it('an IPv4 address is judged alike in each form of IPv6 that stands for it', () => {
  const rules = { denied: [network('44.0.0.0/8')], nat64: network('2600:64::/96') }
  fc.assert(
    fc.property(fc.ipV4(), (ipv4) => {
      const [a, b, c, d] = bytesOf(ipv4).map(hex)
      const expected = isPublicAddress(ipv4, rules)
      for (const prefix of ['::ffff:', '64:ff9b::', '2600:64::']) {
        expect(isPublicAddress(`${prefix}${ipv4}`, rules)).toBe(expected)
        expect(isPublicAddress(`${prefix}${a}${b}:${c}${d}`, rules)).toBe(expected)
      }
      expect(isPublicAddress(`2002:${a}${b}:${c}${d}::1`, rules)).toBe(false)
      expect(isPublicAddress(`::${ipv4}`, rules)).toBe(false)
    }),
  )
})

it('no other text is accepted, and none throws', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV6(), fc.string({ unit: 'binary' })), (text) => {
      expect(typeof isPublicAddress(text, OPEN)).toBe('boolean')
    }),
  )
})

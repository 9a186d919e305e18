import { expect, it } from 'vitest'
import { networkOf, networksOf, siteOf } from './network.js'

it.each([
  ['192.0.2.1', '192.0.2.1/32'],
  ['::ffff:192.0.2.1', '192.0.2.1/32'],
  ['::ffff:c000:201', '192.0.2.1/32'],
  ['64:ff9b::c000:201', '192.0.2.1/32'],
  ['64:ff9b::192.0.2.1', '192.0.2.1/32'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:0:0:ffff:ffff:ffff:ffff', '2001:db8:0:0::/64'],
  ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
  ['2001:DB8:0001:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  [null, 'unknown'],
  ['', 'unknown'],
  ['unknown', 'unknown'],
  ['192.0.2.1:443', 'unknown'],
  ['1', 'unknown'],
])('the network of %j is %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

it.each([
  ['192.0.2.1', ['192.0.2.1/32']],
  ['::ffff:192.0.2.1', ['192.0.2.1/32']],
  [
    '2001:db8:1234:abcd::1',
    ['2001:db8:1234:abcd::/64', '2001:db8:1234:ab00::/56', '2001:db8:1234:0::/48'],
  ],
  ['fe80::1%eth0', ['fe80:0:0:0::/64', 'fe80:0:0:0::/56', 'fe80:0:0:0::/48']],
  [null, ['unknown']],
  ['unknown', ['unknown']],
])('the networks of %j are %j', (address, networks) => {
  expect(networksOf(address)).toEqual(networks)
})

it.each([
  ['192.0.2.1', '192.0.2.1/32'],
  ['2001:db8:1234:abcd::1', '2001:db8:1234:0::/48'],
  ['2001:db8:1234:ffff::1', '2001:db8:1234:0::/48'],
  [null, 'unknown'],
])('the site of %j is %s', (address, site) => {
  expect(siteOf(address)).toBe(site)
})

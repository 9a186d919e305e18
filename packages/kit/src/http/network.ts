import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * The sizes of network that one IPv6 customer may control: a /64 is a single LAN, and providers assign sites
 * a /56 or a /48 (RFC 6177).
 */
const IPV6_PREFIXES = [64, 56, 48] as const

/**
 * The networks of an address in CIDR notation, for rate limits, smallest first: an IPv4 address alone, or the
 * IPv6 /64, /56 and /48. Invalid addresses share the network `unknown`, so that an invalid `X-Forwarded-For`
 * can't evade a limit.
 */
export function networksOf(address: string | null): readonly [string, ...string[]] {
  if (address === null || !isIP(address)) return ['unknown']
  // `process` converts an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) to IPv4.
  const parsed = ipaddr.process(address)
  if (!(parsed instanceof ipaddr.IPv6)) return [`${parsed.toString()}/32`]
  const [lan, ...sites] = IPV6_PREFIXES
  return [ipv6Network(parsed, lan), ...sites.map((prefix) => ipv6Network(parsed, prefix))]
}

/** The smallest network of an address: an IPv4 address alone, or an IPv6 /64. */
export function networkOf(address: string | null): string {
  return networksOf(address)[0]
}

function ipv6Network({ parts }: ipaddr.IPv6, prefix: (typeof IPV6_PREFIXES)[number]): string {
  const groups = parts.slice(0, 4).map((group, index) => {
    const bits = Math.min(16, Math.max(0, prefix - 16 * index))
    return ((group >> (16 - bits)) << (16 - bits)).toString(16)
  })
  return `${groups.join(':')}::/${prefix}`
}

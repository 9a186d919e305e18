import ipaddr from 'ipaddr.js'
import { canonicalAddress } from '../config/ip-address.js'

/**
 * The sizes of network that one IPv6 customer may control: a /64 is a single LAN, and providers assign sites
 * a /56 or a /48 (RFC 6177).
 */
const IPV6_PREFIXES = [64, 56, 48] as const

/**
 * The networks of an address in CIDR notation, for rate limits, smallest first: an IPv4 address alone, or the
 * IPv6 /64, /56 and /48. Invalid addresses share the network `unknown`, so that an invalid address can't evade
 * a limit.
 */
export function networksOf(address: string | null): readonly [string, ...string[]] {
  const canonical = canonicalAddress(address ?? undefined)
  if (canonical === undefined) return ['unknown']
  const parsed = ipaddr.parse(canonical)
  if (!(parsed instanceof ipaddr.IPv6)) return [`${canonical}/32`]
  const translated = translatedIpv4(parsed)
  if (translated) return [`${translated.toString()}/32`]
  const [lan, ...sites] = IPV6_PREFIXES
  return [ipv6Network(parsed, lan), ...sites.map((prefix) => ipv6Network(parsed, prefix))]
}

/**
 * By how much the limit of the nth of `networksOf` exceeds the limit of the first: a /56 has twice the limit of
 * a /64, and a /48 four times. Each of them may have one customer or many.
 */
export function limitFactor(nth: number): number {
  return 2 ** nth
}

/** The smallest network of an address: an IPv4 address alone, or an IPv6 /64. */
export function networkOf(address: string | null): string {
  return networksOf(address)[0]
}

/**
 * The largest network of an address: an IPv4 address alone, or the IPv6 /48. Queues that serve networks in turn
 * use it, because one customer can have the 65,536 networks of size /64 in a /48.
 */
export function siteOf(address: string | null): string {
  const networks = networksOf(address)
  return networks.at(-1) ?? networks[0]
}

/** The IPv4 client behind a translator (NAT64, SIIT): all of them share its /96 (RFC 6052 and 6145). */
function translatedIpv4(address: ipaddr.IPv6): ipaddr.IPv4 | undefined {
  if (!['rfc6052', 'rfc6145'].includes(address.range())) return undefined
  return new ipaddr.IPv4(address.toByteArray().slice(-4))
}

function ipv6Network({ parts }: ipaddr.IPv6, prefix: (typeof IPV6_PREFIXES)[number]): string {
  const groups = parts.slice(0, 4).map((group, index) => {
    const bits = Math.min(16, Math.max(0, prefix - 16 * index))
    return ((group >> (16 - bits)) << (16 - bits)).toString(16)
  })
  return `${groups.join(':')}::/${prefix}`
}

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * The network of an address in CIDR notation, for rate limits: an IPv4 address alone, or an IPv6 /64, because
 * a subscriber can use any address in it (RFC 6177). Invalid addresses share the network `unknown`, so that
 * an invalid `X-Forwarded-For` can't evade a limit.
 */
export function networkOf(address: string | null): string {
  if (address === null || !isIP(address)) return 'unknown'
  // `process` converts an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) to IPv4.
  const parsed = ipaddr.process(address)
  if (!(parsed instanceof ipaddr.IPv6)) return `${parsed.toString()}/32`
  const groups = parsed.parts.slice(0, 4).map((group) => group.toString(16))
  return `${groups.join(':')}::/64`
}

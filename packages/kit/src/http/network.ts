import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * The network of an address for rate limits, in CIDR notation: one IPv4 address or one IPv6 /64, in which a
 * subscriber can use any address (RFC 6177). Anything else is the network `unknown`, so that an invalid
 * `X-Forwarded-For` evades no limit.
 */
export function networkOf(address: string | null): string {
  if (address === null || !isIP(address)) return 'unknown'
  // IPv4 mapped into IPv6 (RFC 4291, section 2.5.5.2) becomes IPv4.
  const parsed = ipaddr.process(address)
  if (!(parsed instanceof ipaddr.IPv6)) return `${parsed.toString()}/32`
  const groups = parsed.parts.slice(0, 4).map((group) => group.toString(16))
  return `${groups.join(':')}::/64`
}

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** A subscriber has a whole /64 of IPv6 (RFC 6177), and can send each request from another address of it. */
const SUBSCRIBER_BITS = 64
const GROUP_BITS = 16

/**
 * The network that shares a rate limit with an address, in CIDR notation: one IPv4 address or one /64 of IPv6.
 * Everything that is not an address shares `unknown`, so that an invalid `X-Forwarded-For` evades no limit.
 */
export function networkOf(address: string | null): string {
  if (address === null || !isIP(address)) return 'unknown'
  // IPv4 mapped into IPv6 (RFC 4291, section 2.5.5.2) becomes IPv4.
  const parsed = ipaddr.process(address)
  if (!(parsed instanceof ipaddr.IPv6)) return `${parsed.toString()}/32`
  const groups = parsed.parts.slice(0, SUBSCRIBER_BITS / GROUP_BITS)
  return `${groups.map((group) => group.toString(16)).join(':')}::/${SUBSCRIBER_BITS}`
}

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** An IPv6 subscriber has a whole /64 (RFC 6177) and can send each request from another address in it. */
const SUBSCRIBER_BITS = 64
const GROUP_BITS = 16

/**
 * The network of an address for rate limits, in CIDR notation: one IPv4 address or one IPv6 /64. All input
 * that is not an address counts as the network `unknown`, so an invalid `X-Forwarded-For` evades no limit.
 */
export function networkOf(address: string | null): string {
  if (address === null || !isIP(address)) return 'unknown'
  // IPv4 mapped into IPv6 (RFC 4291, section 2.5.5.2) becomes IPv4.
  const parsed = ipaddr.process(address)
  if (!(parsed instanceof ipaddr.IPv6)) return `${parsed.toString()}/32`
  const groups = parsed.parts.slice(0, SUBSCRIBER_BITS / GROUP_BITS)
  return `${groups.map((group) => group.toString(16)).join(':')}::/${SUBSCRIBER_BITS}`
}

import { canonicalAddress, type Network } from '@malipo/kit/config/ip-address'
import ipaddr, { type IPv4, type IPv6 } from 'ipaddr.js'
import type { EgressPolicy } from './policy.js'

/** The only block of IPv6 from which IANA allocates global unicast addresses (RFC 4291, section 2.4). */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')
/** RFC 6052, section 2.1. */
const WELL_KNOWN_NAT64 = { address: '64:ff9b::', prefix: 96, family: 'ipv6' } as const
/** Azure's host: it answers every virtual machine, with its configuration, although the address is public. */
const AZURE_HOST = '168.63.129.16'

/** RFC 4291, section 2.5.5.1. The parser reads it as IPv4-mapped, and sockets don't. */
const IPV4_COMPATIBLE = /^::[\d.]+\.[\d.]+$/

/** The lengths of a NAT64 prefix (RFC 6052, section 2.2). */
export const NAT64_LENGTHS: readonly number[] = [32, 40, 48, 56, 64, 96]

/**
 * Whether a delivery may connect to an address: it is public, and the policy does not deny it. Anything that is not an
 * address is refused. An address that stands for an IPv4 address, IPv4-mapped or by NAT64, is judged as that one. 6to4,
 * Teredo and IPv4-compatible addresses are refused.
 */
export function isPublicAddress(
  text: string,
  policy: Pick<EgressPolicy, 'denied' | 'nat64'>,
): boolean {
  if (text.includes('%') || IPV4_COMPATIBLE.test(text)) return false
  const canonical = canonicalAddress(text)
  if (canonical === undefined) return false
  const address = ipaddr.parse(canonical)
  if (policy.denied.some((network) => isWithin(address, network))) return false
  if (address.kind() === 'ipv4') return address.range() === 'unicast' && canonical !== AZURE_HOST
  const nat64 = [policy.nat64, WELL_KNOWN_NAT64].find(
    (prefix) => prefix !== undefined && isWithin(address, prefix),
  )
  if (nat64) return isPublicAddress(embeddedAddress(address, nat64.prefix), policy)
  return address.range() === 'unicast' && (address as IPv6).match(GLOBAL_UNICAST)
}

function isWithin(address: IPv4 | IPv6, { address: base, prefix, family }: Network): boolean {
  return address.kind() === family && address.match(ipaddr.parse(base), prefix)
}

/** The IPv4 address in one with a NAT64 prefix. Bits 64 to 71 are not a part of it (RFC 6052, section 2.2). */
function embeddedAddress(address: IPv4 | IPv6, prefix: number): string {
  const bytes = address.toByteArray()
  const first = prefix / 8
  const rest = bytes.filter((_, index) => index >= first && index !== 8)
  return rest.slice(0, 4).join('.')
}

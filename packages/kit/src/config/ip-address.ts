import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** The length of the prefix ::ffff:0:0/96 of IPv4-mapped addresses. */
const MAPPED_PREFIX_BITS = 96

export interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/**
 * The canonical form of an IP address: IPv6 in lower case and shortened (RFC 5952), without a zone. An
 * IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2), which a socket that listens on `::` reports for an IPv4
 * client, becomes IPv4. Returns undefined for anything else.
 */
export function canonicalAddress(text: string | undefined): string | undefined {
  // Accepts only what `isIP` does: ipaddr.js also reads `1` and `0177.1`.
  if (text === undefined || !isIP(text)) return undefined
  return ipaddr.process(text.replace(/%.*$/, '')).toString()
}

/** Parses an address or a network in CIDR notation. Returns undefined for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const [, host = '', length] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const address = canonicalAddress(host)
  if (address === undefined) return undefined
  const isMapped = host.includes(':') && !address.includes(':')
  const bits = address.includes(':') ? 128 : 32
  const given = length === undefined ? bits : Number(length)
  const prefix = isMapped && length !== undefined ? given - MAPPED_PREFIX_BITS : given
  if (prefix < 0 || prefix > bits) return undefined
  return { address, prefix, family: bits === 128 ? 'ipv6' : 'ipv4' }
}

/** Whether the text is a host name, or an IP address without brackets. */
export function isHost(text: string): boolean {
  return (
    isIP(text) !== 0 ||
    (/^[a-z\d_]([\w.-]{0,252}[a-z\d_.])?$/i.test(text) && !/^[\d.]+$/.test(text))
  )
}

/** Whether the text is a host, or the folder of a socket, which PostgreSQL's clients accept in its place. */
export function isHostOrFolder(text: string): boolean {
  return isHost(text) || /^\/\S*$/.test(text)
}

/** Removes the brackets around an IPv6 address, as in `[::1]`. */
export function withoutBrackets(text: string): string {
  return /^\[.*:.*\]$/.test(text) ? text.slice(1, -1) : text
}

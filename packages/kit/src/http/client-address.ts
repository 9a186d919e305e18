import type { IncomingMessage } from 'node:http'
import { BlockList, isIPv6 } from 'node:net'
import { canonicalAddress, parseNetwork } from '../config/ip-address.js'

/** The address of a request's client; undefined once the client has disconnected. */
export type ClientAddress = (
  request: Pick<IncomingMessage, 'headers' | 'socket'>,
) => string | undefined

/**
 * Returns a function that finds the address of a client: the nearest hop in `X-Forwarded-For` that is not a
 * trusted proxy. A hop that is not an address (`unknown`, an obfuscated identifier of RFC 7239, or nonsense)
 * can't be limited by itself: the client then has the address of the trusted proxy that forwarded it.
 *
 * @param trustedProxies `TRUSTED_PROXIES`
 */
export function clientAddresses(trustedProxies: readonly string[]): ClientAddress {
  const trusted = new BlockList()
  for (const network of trustedProxies.map(parseNetwork)) {
    if (network) trusted.addSubnet(network.address, network.prefix, network.family)
  }
  const isTrusted = (address: string) => trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  return ({ headers, socket }) => {
    let address = canonicalAddress(socket.remoteAddress)
    const forwarded = headers['x-forwarded-for']
    if (trustedProxies.length === 0 || forwarded === undefined) return address
    for (const hop of String(forwarded).split(',').reverse()) {
      if (hop.trim() === '') continue
      const next = address !== undefined && isTrusted(address) ? addressOf(hop.trim()) : undefined
      if (next === undefined) break
      address = next
    }
    return address
  }
}

/** A node of RFC 7239, section 6, with or without quotes: an address in brackets or not, and perhaps a port. */
const NODE = /^(?:\[(?<ipv6>[^\]]+)\]|(?<ipv4>[\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/

function addressOf(hop: string): string | undefined {
  const text = hop.replace(/^"(.*)"$/, '$1')
  const { ipv6, ipv4 } = NODE.exec(text)?.groups ?? {}
  if (ipv6 !== undefined) return isIPv6(ipv6) ? canonicalAddress(ipv6) : undefined
  return canonicalAddress(ipv4 ?? text)
}

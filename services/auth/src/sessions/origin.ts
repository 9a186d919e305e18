import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

/** Where a request comes from, as far as it can be known. Pure but for reading the request. */
export interface Origin {
  /** An IP address in the form that PostgreSQL takes; null when a proxy passed on what is none. */
  readonly address: string | null
  readonly userAgent: string | null
}

const LONGEST_USER_AGENT = 256

/** `request.ip` is what the nearest hop that is no trusted proxy has for an address. */
export function originOf(request: Pick<FastifyRequest, 'ip' | 'headers'>): Origin {
  const userAgent = request.headers['user-agent']?.slice(0, LONGEST_USER_AGENT)
  return { address: normalAddress(request.ip), userAgent: userAgent || null }
}

/**
 * An address in one form: IPv4 as such also when it came mapped into IPv6 (RFC 4291, section 2.5.5.2), and
 * without the zone that a link-local address has.
 */
export function normalAddress(address: string | undefined): string | null {
  const bare = (address ?? '').replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  return isIP(bare) ? bare.toLowerCase() : null
}

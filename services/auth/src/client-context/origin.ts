import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

/** The address and user agent of a client, as they appear in sessions and the audit trail. */
export interface Origin {
  /** An IP address that PostgreSQL accepts; null if a proxy forwarded something else. */
  readonly address: string | null
  readonly userAgent: string | null
}

const MAX_USER_AGENT_LENGTH = 256

/** `request.ip` is the address of the nearest hop that is not a trusted proxy. */
export function originOf(request: Pick<FastifyRequest, 'ip' | 'headers'>): Origin {
  const userAgent = request.headers['user-agent']?.slice(0, MAX_USER_AGENT_LENGTH)
  return { address: normalAddress(request.ip), userAgent: userAgent || null }
}

/**
 * The normal form of an address: IPv4 mapped into IPv6 (RFC 4291, section 2.5.5.2) becomes IPv4, and the
 * zone of a link-local address is dropped.
 */
export function normalAddress(address: string | undefined): string | null {
  const bare = (address ?? '').replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  return isIP(bare) ? bare.toLowerCase() : null
}

import { isIP } from 'node:net'
import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** The address and user agent of a client, as sessions and the audit trail store them. */
export interface Origin {
  /** An IP address that PostgreSQL accepts; null if a proxy forwarded something else. */
  readonly address: string | null
  readonly userAgent: string | null
}

/** The client of a request: its origin, and a function that sets headers of the response. */
export interface ClientContext {
  readonly origin: Origin
  readonly setHeaders: (headers: Readonly<Record<string, string>>) => void
}

export const Client = createParamDecorator(
  (_: unknown, context: ExecutionContext): ClientContext => {
    const http = context.switchToHttp()
    const reply = http.getResponse<FastifyReply>()
    return {
      origin: originOf(http.getRequest<FastifyRequest>()),
      setHeaders: (headers) => void reply.headers(headers),
    }
  },
)

/** `ip` is the address of the nearest hop that is not a trusted proxy. */
export function originOf({ ip, headers }: Pick<FastifyRequest, 'ip' | 'headers'>): Origin {
  // A check constraint limits user agents to 256 characters.
  return { address: normalAddress(ip), userAgent: headers['user-agent']?.slice(0, 256) || null }
}

/** Turns an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) into IPv4, and drops an IPv6 zone. */
export function normalAddress(address: string | undefined): string | null {
  const bare = (address ?? '').replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  return isIP(bare) ? bare.toLowerCase() : null
}

import { canonicalAddress } from '@malipo/kit/config/ip-address'
import type { Flow } from '@malipo/kit/http/fair-queue'
import { siteOf } from '@malipo/kit/http/network'
import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** The address and user agent of a client, as sessions and the audit trail store them. */
export interface Origin {
  /** An IP address in canonical form; null if the client has already disconnected. */
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

/** The flow of a request in the queue for bcrypt: the client's IPv4 address or IPv6 /48, and the account with this phone. */
export function flowOf({ origin }: Pick<ClientContext, 'origin'>, phone: string): Flow {
  return { network: siteOf(origin.address), caller: phone }
}

/** `ip` is the address of the nearest hop that is not a trusted proxy. */
export function originOf({ ip, headers }: Pick<FastifyRequest, 'ip' | 'headers'>): Origin {
  // A check constraint limits user agents to 256 characters.
  return {
    address: canonicalAddress(ip) ?? null,
    userAgent: headers['user-agent']?.slice(0, 256) || null,
  }
}

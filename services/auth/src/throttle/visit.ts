import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'
import { type Origin, originOf } from '../sessions/origin.js'

/** A request as far as it is counted: where it comes from, and how its sender is told what is left. */
export interface Visit {
  readonly origin: Origin
  readonly tell: (headers: Readonly<Record<string, string>>) => void
}

export const Visiting = createParamDecorator((_: unknown, context: ExecutionContext): Visit => {
  const http = context.switchToHttp()
  const reply = http.getResponse<FastifyReply>()
  return {
    origin: originOf(http.getRequest<FastifyRequest>()),
    tell: (headers) => void reply.headers(headers),
  }
})

/** Whoever has one address of IPv6 has all of its /64 (RFC 6177), so that is what counts as one. */
const SUBSCRIBER_BITS = 64
const GROUP_BITS = 16

/** The network that an address is counted as, in CIDR notation. */
export function networkOf(address: string | null): string {
  if (address === null) return 'unknown'
  const parsed = ipaddr.parse(address)
  if (!(parsed instanceof ipaddr.IPv6)) return `${address}/32`
  const groups = parsed.parts.slice(0, SUBSCRIBER_BITS / GROUP_BITS)
  return `${groups.map((group) => group.toString(16)).join(':')}::/${SUBSCRIBER_BITS}`
}

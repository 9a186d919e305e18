import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
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

import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Origin, originOf } from './origin.js'

/** The client of a request: its origin, and the headers of its response. */
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

import type { FastifyReply } from 'fastify'
import type { ErrorResponse } from './errors.js'

export function reject(reply: FastifyReply, { status, body }: ErrorResponse): FastifyReply {
  if (typeof body === 'string') reply.type('text/html')
  return reply.code(status).send(body)
}

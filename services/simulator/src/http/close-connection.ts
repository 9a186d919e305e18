import type { FastifyReply } from 'fastify'

/** Closes the connection of a request without a response. */
export function closeConnection(reply: FastifyReply): void {
  reply.hijack()
  reply.raw.socket?.destroy()
}

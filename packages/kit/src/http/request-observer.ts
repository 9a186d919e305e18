import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Request } from './request.js'

/** What is done when a request is over. */
export type RequestObserver = (request: Request, reply: FastifyReply, status: number) => void

/** What nginx calls an answer that nobody waited for. */
const CLIENT_CLOSED_REQUEST = 499

/**
 * Ends each request once, answered or abandoned. Fastify's `onResponse` is silent on a client that went away
 * before the answer was written, and its `onRequestAbort` knows only of those whose body never came whole: who is
 * too slow for all its clients would seem to be well.
 */
export function observeRequests(fastify: FastifyInstance, ends: readonly RequestObserver[]) {
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () => {
      const status = reply.raw.writableFinished ? reply.statusCode : CLIENT_CLOSED_REQUEST
      for (const end of ends) end(request, reply, status)
    })
    done()
  })
}

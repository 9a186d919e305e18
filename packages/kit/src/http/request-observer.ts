import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Request } from './request.js'

/** Called once per request, when the response has been sent or the client has disconnected. */
export type RequestObserver = (request: Request, reply: FastifyReply, status: number) => void

/** nginx's status for a client that disconnected before the response. */
const CLIENT_CLOSED_REQUEST = 499

/**
 * Calls the observers when a response closes. Fastify's `onResponse` misses clients that disconnect before
 * the response is written, and `onRequestAbort` covers only incomplete bodies. With these hooks alone, a
 * service that is too slow for all its clients would look healthy.
 */
export function observeRequests(fastify: FastifyInstance, observers: readonly RequestObserver[]) {
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () => {
      const status = reply.raw.writableFinished ? reply.statusCode : CLIENT_CLOSED_REQUEST
      for (const observe of observers) observe(request, reply, status)
    })
    done()
  })
}

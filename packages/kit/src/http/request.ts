import type { Span } from '@opentelemetry/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestContext } from '../telemetry/request-context.js'
import type { Problem } from './problem.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The raw bytes of the body, which signatures are computed over. */
    rawBody?: Buffer
    /** The caller's id for the log, never a phone number or an email address. */
    actor?: string
    /** The authenticated caller, set by the route's guard. Each service defines the type. */
    caller?: object
    /** Set once the body has been read. */
    context?: RequestContext
    /** The request's span; undefined with tracing off, and for probes and scrapes. */
    span?: Span | undefined
    /** Set when the load shedder has admitted the request. */
    admission?: RequestContext['admission']
    /** Whether the load shedder has rejected the request, which it counts itself. */
    isShed?: boolean
    /** The error response, for the access log. */
    failure?: Problem
  }
}

/** A request with the properties above. */
export type Request = FastifyRequest

/** Methods that metrics and traces show by name. All other methods share one name. */
export const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/**
 * Whether a request is for the API rather than for probes, metrics, documentation or key sets. The matched
 * route decides, because many targets match it: `http://host/api/x` and `/%61pi/x` are `/api/x`. A request
 * without a route belongs to the API.
 */
export function isApi({ routeOptions: { url } }: Pick<FastifyRequest, 'routeOptions'>): boolean {
  return url === undefined || url.startsWith('/api/')
}

/** Called once per request, when the response has been sent or the client has disconnected. */
export type RequestObserver = (request: Request, reply: FastifyReply, status: number) => void

/** nginx's status code for a client that disconnects before the response is sent. */
const CLIENT_CLOSED_REQUEST = 499

/**
 * Calls the observers when a response closes. Fastify's `onResponse` and `onRequestAbort` miss clients that
 * send a complete request but disconnect before the response. With these hooks alone, an overloaded service
 * would look healthy.
 */
export function observeRequests(fastify: FastifyInstance, observers: readonly RequestObserver[]) {
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () => {
      if (request.isShed) return
      const status = reply.raw.writableFinished ? reply.statusCode : CLIENT_CLOSED_REQUEST
      for (const observe of observers) observe(request, reply, status)
    })
    done()
  })
}

/** How long the response took, without the time for which the request was held, ms. */
export function durationMs({ context }: Request, reply: FastifyReply): number {
  return reply.elapsedTime - (context?.heldMs ?? 0)
}

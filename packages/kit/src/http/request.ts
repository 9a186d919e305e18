import type { Span } from '@opentelemetry/api'
import type { FastifyRequest } from 'fastify'
import type { Problem } from './problem.js'
import type { RequestContext } from '../telemetry/request-context.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The body's bytes as they came: what a webhook's signature was made over. */
    rawBody?: Buffer
    /** The id of who is calling, for the log: a user or a provider, never a phone or an email. */
    actor?: string
    /** The authenticated caller, set by the route's guard: its type is the service's. */
    caller?: object
    /** Set once the body has been read. */
    context?: RequestContext
    /** Undefined if tracing is off, and for probes and scrapes. */
    span?: Span | undefined
    /** Why this request was answered with an error; the access log reads it. */
    failure?: Problem
  }
}

/** Methods that metrics and traces name. A client may send any of Node's thirty-odd; the others share one name. */
export const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
])

/** A request, with what kit notes on it. */
export type Request = FastifyRequest

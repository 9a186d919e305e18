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
    /** Where its work is known by; there once its body was read. */
    scope?: RequestContext
    /** Why this request was answered with an error; the access log reads it. */
    failure?: Problem
  }
}

/** The methods that are told by name in metrics and traces: a client may send any of Node's thirty-odd. */
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

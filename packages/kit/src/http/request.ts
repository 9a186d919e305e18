import type { Span } from '@opentelemetry/api'
import type { FastifyRequest } from 'fastify'
import type { Problem } from './problem.js'
import type { RequestContext } from '../telemetry/request-context.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The raw body, which signatures cover. */
    rawBody?: Buffer
    /** The caller's id for the log, never a phone number or an email address. */
    actor?: string
    /** The authenticated caller, set by the route's guard. Each service defines the type. */
    caller?: object
    /** Set once the body has been read. */
    context?: RequestContext
    /** Undefined if tracing is off, and for probes and scrapes. */
    span?: Span | undefined
    /** The error response, for the access log. */
    failure?: Problem
  }
}

/**
 * Methods that metrics and traces show by name. A client may send any of Node's thirty-odd methods; all
 * others share one name.
 */
export const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
])

/** A request with the properties above. */
export type Request = FastifyRequest

/** Whether a request is for the API rather than for probes, metrics, documentation or key sets. */
export function isApi({ url }: { readonly url?: string | undefined }): boolean {
  return url?.startsWith('/api/') ?? false
}

import type { Span } from '@opentelemetry/api'
import type { FastifyRequest } from 'fastify'
import type { Problem } from './problem.js'
import type { RequestContext } from '../telemetry/request-context.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The bytes of the body, which signatures cover. */
    rawBody?: Buffer
    /** The id of the caller for the log, never a phone or an email. */
    actor?: string
    /** The authenticated caller, set by the route's guard. Its type is the service's. */
    caller?: object
    /** Set once the body has been read. */
    context?: RequestContext
    /** Undefined if tracing is off, and for probes and scrapes. */
    span?: Span | undefined
    /** The error response, for the access log. */
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

/** A request with the properties above. */
export type Request = FastifyRequest

/** Whether a request is for the API, and not for probes, metrics, documentation or key sets. */
export function isApi({ url }: { readonly url?: string | undefined }): boolean {
  return url?.startsWith('/api/') ?? false
}

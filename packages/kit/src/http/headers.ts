import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply } from 'fastify'
import { isApi, type Request } from './request.js'

/** The header that carries a request's id, in responses and in calls to other services. */
export const REQUEST_ID = 'x-request-id'

export const SECURITY_HEADERS = {
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
} as const

export function setCommonHeaders(request: Request, reply: FastifyReply) {
  reply.header(REQUEST_ID, request.id)
  reply.headers(SECURITY_HEADERS)
  // Any API response may contain a token or personal data.
  if (isApi(request)) reply.header('cache-control', 'no-store')
}

/** The client's request id if it is safe in a log and in a header, otherwise a new id. */
export function requestId(headers: IncomingHttpHeaders): string {
  const given = headers[REQUEST_ID]
  return typeof given === 'string' && /^[A-Za-z0-9][\w.:-]{0,127}$/.test(given)
    ? given
    : randomUUID()
}

/** A valid `traceparent` of this or a later version (W3C Trace Context, section 3.2). */
const TRACEPARENT =
  /^(?!ff|00.{53}-)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-[\x21-\x7e]*)?$/
/** The length and characters of `tracestate` (W3C Trace Context, section 3.3). */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/

/** Parses the caller's trace id even with tracing off: OpenTelemetry's propagator would use 1.3 MB of RAM. */
export function incomingTraceId({ traceparent }: IncomingHttpHeaders): string | undefined {
  return typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined
}

/** The headers for a call to another service. With tracing on, the call's span replaces `traceparent`. */
export function propagationHeaders(
  id: string,
  headers: IncomingHttpHeaders,
): Record<string, string> {
  const { traceparent, tracestate } = headers
  if (typeof traceparent !== 'string' || incomingTraceId(headers) === undefined) {
    return { [REQUEST_ID]: id }
  }
  const isForwarded = typeof tracestate === 'string' && TRACESTATE.test(tracestate)
  return { [REQUEST_ID]: id, traceparent, ...(isForwarded ? { tracestate } : {}) }
}

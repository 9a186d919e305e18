import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** The header that carries a request's id, in responses and in calls to other services. */
export const REQUEST_ID = 'x-request-id'

const SAFE = /^[A-Za-z0-9][\w.:-]{0,127}$/

/** The client's request id if it is safe in a log and in a header, otherwise a new one. */
export function requestId(headers: IncomingHttpHeaders): string {
  const given = headers[REQUEST_ID]
  return typeof given === 'string' && SAFE.test(given) ? given : randomUUID()
}

/** A valid `traceparent`, including later versions: W3C Trace Context, section 3.2. */
const TRACEPARENT =
  /^(?!ff|00.{53}-)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-[\x21-\x7e]*)?$/
/** W3C Trace Context, section 3.3. */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/

/**
 * The trace that the caller is part of, which is logged and forwarded even with tracing off. OpenTelemetry's
 * propagator is not used for this because it takes 1.3 MB of memory.
 */
export function incomingTraceId({ traceparent }: IncomingHttpHeaders): string | undefined {
  return typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined
}

/**
 * The headers that a call to another service carries on behalf of a request. With tracing on, the call sets
 * `traceparent` to its own span.
 */
export function propagationHeaders(
  id: string,
  headers: IncomingHttpHeaders,
): Record<string, string> {
  const passed: Record<string, string> = { [REQUEST_ID]: id }
  const { traceparent, tracestate } = headers
  if (typeof traceparent !== 'string' || incomingTraceId(headers) === undefined) return passed
  passed['traceparent'] = traceparent
  if (typeof tracestate === 'string' && TRACESTATE.test(tracestate))
    passed['tracestate'] = tracestate
  return passed
}

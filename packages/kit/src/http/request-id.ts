import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { traceContext, traceparent, traceState } from '../telemetry/trace-context.js'

/** The header that a request's id travels in, both ways and on to the other service. */
export const REQUEST_ID = 'x-request-id'

const SANE = /^[A-Za-z0-9][\w.:-]{0,127}$/

/** The client's own request id if it is sane, so that it can't break a log or a header; else a new one. */
export function requestId(headers: IncomingHttpHeaders): string {
  const given = headers[REQUEST_ID]
  return typeof given === 'string' && SANE.test(given) ? given : randomUUID()
}

/** What a call to another service carries on of the request that it is made for. */
export function propagationHeaders(
  id: string,
  headers: IncomingHttpHeaders,
): Record<string, string> {
  const passed: Record<string, string> = { [REQUEST_ID]: id }
  const context = traceContext(headers)
  if (!context) return passed
  passed['traceparent'] = traceparent(context)
  const state = traceState(headers)
  if (state !== undefined) passed['tracestate'] = state
  return passed
}

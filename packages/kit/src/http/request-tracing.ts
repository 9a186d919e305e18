import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { FastifyInstance } from 'fastify'
import { requestContext } from '../telemetry/request-context.js'
import { isTracing } from '../telemetry/start-tracing.js'
import { isSampled, TRACER } from '../telemetry/tracing.js'
import { incomingTraceId } from './headers.js'
import { METHODS, type Request, type RequestObserver } from './request.js'

/** Probes and scrapes are not traced: they arrive several times a second, and the spans would be useless. */
const UNTRACED = /^\/(health|metrics)\b/

/** Gives each request its context with its deadline, `waitMs` after its arrival, and its span if tracing is on. */
export function traceRequests(fastify: FastifyInstance, waitMs: number) {
  fastify.decorateRequest('span', undefined)
  fastify.decorateRequest('context', undefined)
  if (isTracing()) {
    fastify.addHook('onRequest', (request, _reply, done) => {
      request.span = startSpan(request)
      done()
    })
  }
  // The context is set in `preHandler`, because reading the body switches to the socket's async context.
  fastify.addHook('preHandler', (request, reply, done) => {
    const { id: requestId, span, admission } = request
    const traceId = traceIdOf(request)
    const deadline = performance.now() - reply.elapsedTime + waitMs
    const own = { requestId, traceId, deadline, isCompleted: false, admission }
    request.context = own
    if (span) context.with(trace.setSpan(ROOT_CONTEXT, span), () => requestContext.run(own, done))
    else requestContext.run(own, done)
  })
}

function startSpan(request: Request): Span | undefined {
  const { headers, method, protocol } = request
  const route = request.routeOptions.url
  if (route !== undefined && UNTRACED.test(route)) return undefined
  const isKnown = METHODS.has(method)
  const attributes = {
    'http.request.method': isKnown ? method : '_OTHER',
    'url.scheme': protocol,
    ...(route === undefined ? {} : { 'http.route': route }),
  }
  const verb = isKnown ? method : 'HTTP'
  const name = route === undefined ? verb : `${verb} ${route}`
  // `tracestate` is left out because it may identify a user: it is only forwarded (headers.ts).
  const { traceparent } = headers
  const parent = propagation.extract(ROOT_CONTEXT, { traceparent })
  return trace.getTracer(TRACER).startSpan(name, { kind: SpanKind.SERVER, attributes }, parent)
}

/** Marks the request's context as completed and ends its span. */
export const completeContext: RequestObserver = (request, _reply, status) => {
  const { context: own, failure, span } = request
  if (own) {
    own.isCompleted = true
    own.onCompleted?.()
  }
  if (!span) return
  span.setAttribute('http.response.status_code', status)
  if (own?.heldMs) span.setAttribute('malipo.held_ms', Math.round(own.heldMs))
  if (failure) span.setAttribute('malipo.problem', failure.kind.type)
  if (status >= 500) {
    span.setAttribute('error.type', failure?.kind.type ?? String(status))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}

/** The id of the request's own trace if it is recorded, otherwise of the caller's trace. */
export function traceIdOf({ span, headers }: Request): string | undefined {
  return isSampled(span) ? span.spanContext().traceId : incomingTraceId(headers)
}

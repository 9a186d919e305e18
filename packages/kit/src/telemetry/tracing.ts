import { randomBytes } from 'node:crypto'
import type { Attributes, Span } from '@opentelemetry/api'
import type { FastifyInstance } from 'fastify'
import type { HttpEnv } from '../config/env.js'
import type { Logger } from './logger.js'
import type { ServiceInfo } from '../http/openapi.js'
import type { Request } from '../http/request.js'
import type { RequestObserver } from '../http/request-observer.js'
import {
  currentRequestContext,
  currentContext,
  type SpanLink,
  runInContext,
} from './request-context.js'
import { traceContext, traceparent } from './trace-context.js'
import type { Tracing } from './tracing-sdk.js'

/**
 * Traces: what a request did where, sent to a collector by OpenTelemetry. Off unless
 * `OTEL_EXPORTER_OTLP_ENDPOINT` is set; nothing of OpenTelemetry is loaded then, and each place here that
 * others call is a look at one variable. docs/tracing.md tells which spans there are.
 *
 * No attribute holds what a client sent or what a database holds: a route is told by its template, a
 * statement by its name, an error by its code.
 */

declare module 'fastify' {
  interface FastifyRequest {
    /** The request's own span, if its trace is recorded. */
    span?: Span
  }
}

export type TracingEnv = Pick<
  HttpEnv,
  'OTEL_EXPORTER_OTLP_ENDPOINT' | 'OTEL_EXPORTER_OTLP_HEADERS' | 'OTEL_TRACES_SAMPLER_ARG'
>

/** What a span is of. */
export interface SpanOptions {
  /** One of few. */
  readonly name: string
  readonly attributes: Attributes
}

let tracing: Tracing | undefined

/** Begins tracing in this process, if the environment asks for it. */
export async function startTracing(
  about: ServiceInfo,
  env: TracingEnv,
  log: Logger,
): Promise<void> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = env
  if (endpoint === undefined) return
  const sdk = await import('./tracing-sdk.js')
  tracing = new sdk.Tracing(about, { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, log)
}

/** Sends what is still to be sent, for a bounded time. */
export async function stopTracing(): Promise<void> {
  const ending = tracing
  tracing = undefined
  await ending?.end()
}

/** Whether requests may have spans. */
export function isTracing(): boolean {
  return tracing !== undefined
}

/** Ends tracing with the app. */
export class TracingShutdown {
  onApplicationShutdown = stopTracing
}

/** Gives each request its scope, and a span if there are any. */
export function traceRequests(fastify: FastifyInstance) {
  if (tracing) {
    // Requests of two shapes would be slower to serve, those without a span too.
    fastify.decorateRequest('span', undefined)
    fastify.addHook('onRequest', (request, _reply, done) => {
      tracing?.receive(request)
      done()
    })
  }
  fastify.decorateRequest('scope', undefined)
  // After the body was read: what its last part brings runs in the socket's scope, not in ours.
  fastify.addHook('preHandler', (request, _reply, done) => {
    const { id, span } = request
    request.scope = { requestId: id, traceId: traceIdOf(request), span, isCompleted: false }
    runInContext(request.scope, done)
  })
}

/** Ends its scope, and its span if it has one. */
export const completeContext: RequestObserver = (request, _reply, status) => {
  if (request.scope) request.scope.isCompleted = true
  if (request.span) tracing?.answer(request, request.span, status)
}

/** The trace of a request: recorded here, or one that it brought. */
export function traceIdOf({ span, headers }: Request): string | undefined {
  return (span?.spanContext() ?? traceContext(headers))?.traceId
}

/**
 * Does `work` within a span of the request that it is for. Work for several requests is one span of its own
 * trace that links to each of theirs, and each of them gets one, from when it began to wait, that links to it.
 */
export function withSpan<T>(
  doing: () => SpanOptions,
  work: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const scope = tracing && currentContext()
  if (!tracing || !scope) return work(undefined)
  if (!('links' in scope)) {
    return scope.span
      ? tracing.spanned([tracing.begin(doing(), scope.span)], work)
      : work(undefined)
  }
  return scope.links.length > 0
    ? tracing.spanned(tracing.beginShared(doing(), scope), work)
    : work(undefined)
}

/** The request that asks, for `together`; undefined when its trace is not recorded. */
export function currentSpanLink(): SpanLink | undefined {
  const scope = tracing && currentRequestContext()
  return scope?.span
    ? { scope: { ...scope, span: scope.span }, since: performance.now() }
    : undefined
}

/** Does `work` once for all who wait for it. */
export function withSharedSpan<T>(riders: readonly (SpanLink | undefined)[], work: () => T): T {
  if (!tracing) return work()
  const [first] = riders
  if (riders.length === 1) return runInContext(first?.scope, work)
  return runInContext(
    { links: riders.filter((each) => each !== undefined), served: riders.length },
    work,
  )
}

/**
 * What tells the next service that it works for this span; where there is none, that nothing of the trace is
 * recorded, or else that service might record its part of one that has no beginning.
 */
export function spanHeaders(
  span: Span | undefined,
  passed: Readonly<Record<string, string>>,
): Record<string, string> {
  if (span) return { ...passed, traceparent: traceparent(span.spanContext()) }
  if (!tracing || passed['traceparent'] !== undefined) return passed
  const [traceId, spanId] = [randomBytes(16), randomBytes(8)].map((bytes) => bytes.toString('hex'))
  return { ...passed, traceparent: `00-${traceId}-${spanId}-00` }
}

/** What a bucket of a histogram remembers of a request whose trace is recorded. */
export function exemplar({ span }: Request) {
  const context = span?.spanContext()
  return context && { trace_id: context.traceId, span_id: context.spanId }
}

import { hostname } from 'node:os'
import {
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { withTimeout } from '../worker/with-timeout.js'
import type { Logger } from './logger.js'
import type { ServiceInfo } from '../http/openapi.js'
import { METHODS, type Request } from '../http/request.js'
import type { BatchContext } from './request-context.js'
import { LoggingExporter } from './logging-exporter.js'
import { RECORDED, type TraceContext, traceContext, traceparent } from './trace-context.js'
import type { SpanOptions, TracingEnv } from './tracing.js'

/**
 * The part of tracing that stands on OpenTelemetry, loaded only where there is a collector. What waits for the
 * collector is bounded, and dropped beyond that; no request ever waits for it.
 */

/** Spans that wait: about a kilobyte each. */
const QUEUE = 2_048
/** Made into bytes in one go, between requests. */
const AT_ONCE = 256
const SEND_EVERY_MS = 2_000
const SEND_LIMIT_MS = 5_000
/** Within the grace period, which has 5 s beside the drain and the longest wait. */
const END_LIMIT_MS = 2_000
/** As many as a statement may serve. */
const LINKS = 1_000
/** None is that long: a bound on what can go wrong. */
const CHARACTERS = 256

/** Asked every other second by whoever watches the process. */
const WATCHED = /^\/(health|metrics)\b/

type Env = TracingEnv & { readonly OTEL_EXPORTER_OTLP_ENDPOINT: string }

export class Tracing {
  private readonly provider: TracerProvider
  private readonly tracer: Tracer
  private readonly part: number

  constructor({ name, version }: ServiceInfo, env: Env, log: Logger) {
    const exporter = new OTLPTraceExporter({
      url: `${env.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/+$/, '')}/v1/traces`,
      headers: env.OTEL_EXPORTER_OTLP_HEADERS,
      timeoutMillis: SEND_LIMIT_MS,
    })
    const processor = new BatchSpanProcessor({
      exporter: new LoggingExporter(exporter, log),
      maxQueueSize: QUEUE,
      maxExportBatchSize: AT_ONCE,
      scheduledDelayMillis: SEND_EVERY_MS,
      exportTimeoutMillis: 2 * SEND_LIMIT_MS,
    })
    const about = { 'service.name': name, 'service.version': version }
    this.provider = new TracerProvider({
      resource: defaultResource().merge(
        resourceFromAttributes({ ...about, 'service.instance.id': hostname() }),
      ),
      // What is not to be recorded never gets here.
      sampler: new AlwaysOnSampler(),
      spanLimits: { linkCountLimit: LINKS, attributeValueLengthLimit: CHARACTERS },
      spanProcessors: [processor],
    })
    this.part = env.OTEL_TRACES_SAMPLER_ARG
    this.tracer = this.provider.getTracer('malipo', version)
  }

  async end(): Promise<void> {
    // What can't be sent was told already.
    await withTimeout(
      this.provider.shutdown().catch(() => undefined),
      END_LIMIT_MS,
    )
  }

  /** Begins a request's span if its trace is recorded: as whoever began it says, or else for a part of all. */
  receive(request: Request) {
    const came = traceContext(request.headers)
    const isRecorded = came ? (came.traceFlags & RECORDED) !== 0 : Math.random() < this.part
    // Fastify makes `routeOptions` anew each time that it is asked for.
    if (!isRecorded) return
    const route = request.routeOptions.url
    if (route !== undefined && WATCHED.test(route)) return
    request.span = this.beginRequest(request, route, came)
    // What goes on from here, goes on from this span.
    request.headers['traceparent'] = traceparent(request.span.spanContext())
  }

  private beginRequest(
    request: Request,
    route: string | undefined,
    came: TraceContext | undefined,
  ) {
    const { method, protocol } = request
    const known = METHODS.has(method)
    const attributes = {
      'http.request.method': known ? method : '_OTHER',
      'url.scheme': protocol,
      ...(route === undefined ? {} : { 'http.route': route }),
    }
    const verb = known ? method : 'HTTP'
    const name = route === undefined ? verb : `${verb} ${route}`
    const parent = came
      ? trace.setSpanContext(ROOT_CONTEXT, { ...came, isRemote: true })
      : ROOT_CONTEXT
    return this.tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent)
  }

  /** Ends it. */
  answer({ failure }: Request, span: Span, status: number) {
    span.setAttribute('http.response.status_code', status)
    if (failure) span.setAttribute('malipo.problem', failure.kind.type)
    if (status >= 500) {
      span.setAttribute('error.type', failure?.kind.type ?? String(status))
      span.setStatus({ code: SpanStatusCode.ERROR })
    }
    span.end()
  }

  /** Begins a call that a request makes. */
  begin({ name, attributes }: SpanOptions, parent: Span): Span {
    const context = trace.setSpan(ROOT_CONTEXT, parent)
    return this.tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, context)
  }

  /** Begins a call that several requests share: its own span first, then that of each. */
  beginShared(
    { name, attributes: own }: SpanOptions,
    { links: callers, served }: BatchContext,
  ): Span[] {
    const attributes = { ...own, 'malipo.requests': served }
    const links = callers.map(({ scope }) => ({ context: scope.span.spanContext() }))
    const kind = SpanKind.CLIENT
    const shared = this.tracer.startSpan(name, { kind, attributes, links }, ROOT_CONTEXT)
    const toShared = [{ context: shared.spanContext() }]
    const calls = callers.map(({ scope, since }) =>
      this.tracer.startSpan(
        name,
        { attributes, links: toShared, startTime: since },
        trace.setSpan(ROOT_CONTEXT, scope.span),
      ),
    )
    return [shared, ...calls]
  }

  /** Does what the first of the spans is of, and ends them all with what came of it. */
  async spanned<T>(
    spans: readonly Span[],
    work: (span: Span | undefined) => Promise<T>,
  ): Promise<T> {
    try {
      return await work(spans[0])
    } catch (error) {
      for (const span of spans) fail(span, error)
      throw error
    } finally {
      for (const span of spans) span.end()
    }
  }
}

/** Names the error by its code, for its text may hold values. */
function fail(span: Span, error: unknown) {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  const type = [code, name].find((each) => typeof each === 'string')
  span.setAttribute('error.type', type ?? typeof error)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

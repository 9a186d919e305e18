import {
  type Attributes,
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api'

/**
 * Creates spans with the OpenTelemetry API; docs/tracing.md lists them. Spans contain no values from requests
 * or the database: they name a route by its template, a statement by its name and an error by its code.
 */

export const TRACER = 'malipo'

export interface SpanOptions {
  /** One of a small fixed set of names. */
  readonly name: string
  readonly attributes: Attributes
}

/** A recorded request that waits for a batched call; `since` is when the wait began (`performance.now()`). */
export interface SpanLink {
  readonly span: Span
  readonly since: number
}

interface BatchLinks {
  readonly links: readonly SpanLink[]
  /** The number of requests in the batch, recorded or not. */
  readonly size: number
}

const BATCH = createContextKey('the requests of a batch')

/** Whether the span is sent to the collector. Unlike `isRecording()`, this stays true after the span ends. */
export function isSampled(span: Span | undefined): span is Span {
  return span !== undefined && (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0
}

/**
 * If the active request is recorded, runs `work` in a client span of it. Work for a batch gets one root span
 * with a link to each request. Each request gets a span that covers its wait and links to the root span.
 */
export function withSpan<T>(
  options: () => SpanOptions,
  work: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const active = context.active()
  const batch = active.getValue(BATCH) as BatchLinks | undefined
  if (batch) return runInSpans(startBatchSpans(options(), batch), work)
  if (!isSampled(trace.getSpan(active))) return work(undefined)
  const { name, attributes } = options()
  const span = trace.getTracer(TRACER).startSpan(name, { kind: SpanKind.CLIENT, attributes })
  return runInSpans([span], work)
}

/**
 * The `traceparent` of the active request (W3C Trace Context), for work that is done later, possibly by another
 * replica; undefined if the request is not recorded.
 */
export function currentTraceParent(): string | undefined {
  if (!isSampled(trace.getActiveSpan())) return undefined
  const carrier: { traceparent?: string } = {}
  propagation.inject(context.active(), carrier)
  return carrier.traceparent
}

/**
 * Runs `work`, which continues what the request of `traceParent` began, in the span of a new trace. The span links to
 * that request, and to the active one. If that request was not recorded, there is no span.
 */
export async function withLinkedSpan<T>(
  options: SpanOptions,
  traceParent: string | null,
  work: () => Promise<T>,
): Promise<T> {
  const span = startLinkedSpan(options, traceParent)
  return span ? runInSpans([span], work) : work()
}

/** Records an event in a span as of `withLinkedSpan`. */
export function recordLinkedSpan(options: SpanOptions, traceParent: string | null): void {
  startLinkedSpan(options, traceParent)?.end()
}

function startLinkedSpan({ name, attributes }: SpanOptions, traceparent: string | null) {
  if (traceparent === null) return undefined
  const origin = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent }))
  // Without a collector, nothing reads the header.
  if (!origin) return undefined
  const active = trace.getActiveSpan()
  const linked = isSampled(active) ? [origin, active.spanContext()] : [origin]
  const links = linked.map((each) => ({ context: each }))
  return trace.getTracer(TRACER).startSpan(name, { attributes, links }, ROOT_CONTEXT)
}

/** A link to the active request, for `withSharedSpan`; undefined if the request is not recorded. */
export function currentSpanLink(): SpanLink | undefined {
  const span = trace.getActiveSpan()
  return isSampled(span) ? { span, since: performance.now() } : undefined
}

/** Runs `work` for the requests of a batch, outside the context of the request that dispatched it. */
export function withSharedSpan<T>(requests: readonly (SpanLink | undefined)[], work: () => T): T {
  const links = requests.filter((link) => link !== undefined)
  const [first] = links
  if (!first) return context.with(ROOT_CONTEXT, work)
  const size = requests.length
  const shared =
    size === 1
      ? trace.setSpan(ROOT_CONTEXT, first.span)
      : ROOT_CONTEXT.setValue(BATCH, { links, size } satisfies BatchLinks)
  return context.with(shared, work)
}

/** Starts the batch's own span, followed by one span for each recorded request. */
function startBatchSpans({ name, attributes: own }: SpanOptions, { links, size }: BatchLinks) {
  const tracer = trace.getTracer(TRACER)
  const attributes = { ...own, 'malipo.requests': size }
  const toRequests = links.map(({ span }) => ({ context: span.spanContext() }))
  const options = { kind: SpanKind.CLIENT, attributes, links: toRequests }
  const shared = tracer.startSpan(name, options, ROOT_CONTEXT)
  const wait = { attributes, links: [{ context: shared.spanContext() }] }
  const waits = links.map(({ span, since }) =>
    tracer.startSpan(name, { ...wait, startTime: since }, trace.setSpan(ROOT_CONTEXT, span)),
  )
  return [shared, ...waits] as const
}

/** Runs `work` with the first span active, then ends all spans with the outcome of `work`. */
async function runInSpans<T>(
  spans: readonly [Span, ...Span[]],
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const [active] = spans
  try {
    return await context.with(trace.setSpan(ROOT_CONTEXT, active), () => work(active))
  } catch (error) {
    for (const span of spans) recordFailure(span, error)
    throw error
  } finally {
    for (const span of spans) span.end()
  }
}

/** Records an error's code or name, but not its message, which may contain values. */
function recordFailure(span: Span, error: unknown) {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  const type = [code, name].find((candidate) => typeof candidate === 'string')
  span.setAttribute('error.type', type ?? typeof error)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

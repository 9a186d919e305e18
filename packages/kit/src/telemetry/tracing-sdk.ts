import { hostname } from 'node:os'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { HttpEnv } from '../config/variables.js'
import type { Logger } from './logger.js'

/** Spans that wait for the collector, about a kilobyte each; more are dropped. No request waits for it. */
const MAX_QUEUED_SPANS = 2_048
/** Serialized without a break, between requests. */
const MAX_EXPORTED_SPANS = 256
const EXPORT_INTERVAL_MS = 2_000
const EXPORT_TIMEOUT_MS = 5_000
/** The largest batch. */
const MAX_LINKS = 1_000
/** Longer than any value of ours. */
const MAX_ATTRIBUTE_LENGTH = 256

export type TracingEnv = Pick<
  HttpEnv,
  'OTEL_EXPORTER_OTLP_ENDPOINT' | 'OTEL_EXPORTER_OTLP_HEADERS' | 'OTEL_TRACES_SAMPLER_ARG'
>
/** Registers OpenTelemetry's SDK for one service. */
export function startSdk(
  { name, version }: { readonly name: string; readonly version: string },
  endpoint: string,
  env: TracingEnv,
  log: Logger,
): TracerProvider {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: env.OTEL_EXPORTER_OTLP_HEADERS,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  })
  const processor = new BatchSpanProcessor({
    exporter: logFailures(exporter, log),
    maxQueueSize: MAX_QUEUED_SPANS,
    maxExportBatchSize: MAX_EXPORTED_SPANS,
    scheduledDelayMillis: EXPORT_INTERVAL_MS,
    exportTimeoutMillis: 2 * EXPORT_TIMEOUT_MS,
  })
  const service = {
    'service.name': name,
    'service.version': version,
    'service.instance.id': hostname(),
  }
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes(service)),
    sampler: new ParentBasedSampler({ root: rootSampler(env.OTEL_TRACES_SAMPLER_ARG) }),
    spanLimits: { linkCountLimit: MAX_LINKS, attributeValueLengthLimit: MAX_ATTRIBUTE_LENGTH },
    spanProcessors: [processor],
  })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
  return provider
}

/** Samples a ratio of the traces that start here, and each batch that links to a sampled request. */
function rootSampler(ratio: number): Sampler {
  const byRatio = new TraceIdRatioBasedSampler(ratio)
  return {
    shouldSample: (...[parent, traceId, , , , links]) =>
      links.length > 0
        ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
        : byRatio.shouldSample(parent, traceId),
  }
}

/** Logs once when exports begin to fail and once when they succeed again. */
function logFailures(exporter: SpanExporter, log: Logger): SpanExporter {
  let wasFailing = false
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const { error } = result
        if (error && !wasFailing) log.warn({ err: error }, 'collector unavailable: dropping spans')
        if (!error && wasFailing) log.info('collector available again')
        wasFailing = error !== undefined
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
  }
}

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

const EXPORT_TIMEOUT_MS = 5_000

export type TracingEnv = Pick<HttpEnv, Extract<keyof HttpEnv, `OTEL_${string}`>>

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
    // Maximum spans in memory, about 1 kB each. More are dropped: no request waits for the collector.
    maxQueueSize: 2_048,
    // An export is serialized without interruption, so its size limits how long requests wait.
    maxExportBatchSize: 256,
    scheduledDelayMillis: 2_000,
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
    // The largest batch has this many links; our attribute values are never longer than 256 characters.
    spanLimits: { linkCountLimit: 1_000, attributeValueLengthLimit: 256 },
    spanProcessors: [processor],
  })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
  return provider
}

/** Samples a fraction of the traces that start here, and every batch that links to a sampled request. */
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

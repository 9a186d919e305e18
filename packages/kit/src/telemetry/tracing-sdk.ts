import { hostname } from 'node:os'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { HttpEnv } from '../config/variables.js'
import type { Logger } from './logger.js'
import { LoggingExporter } from './logging-exporter.js'

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
type Env = TracingEnv & { readonly OTEL_EXPORTER_OTLP_ENDPOINT: string }

export interface TracedService {
  readonly name: string
  readonly version: string
}

export type TracingSdk = ReturnType<typeof createSdk>

/** OpenTelemetry's SDK for one service. */
export function createSdk({ name, version }: TracedService, env: Env, log: Logger) {
  const exporter = new OTLPTraceExporter({
    url: `${env.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/+$/, '')}/v1/traces`,
    headers: env.OTEL_EXPORTER_OTLP_HEADERS,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  })
  const processor = new BatchSpanProcessor({
    exporter: new LoggingExporter(exporter, log),
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
  return {
    provider,
    propagator: new W3CTraceContextPropagator(),
    contextManager: new AsyncLocalStorageContextManager(),
  }
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

import { setTimeout as sleep } from 'node:timers/promises'
import { context, propagation, trace } from '@opentelemetry/api'
import type { Logger } from './logger.js'
import type { TracedService, TracingEnv, TracingSdk } from './tracing-sdk.js'

/** The grace period allows 5 s more than the drain and the longest wait of a request. */
const FLUSH_TIMEOUT_MS = 2_000

let sdk: TracingSdk | undefined

/**
 * Registers OpenTelemetry's SDK if `OTEL_EXPORTER_OTLP_ENDPOINT` is set. Without it the SDK is not loaded (it
 * takes 3 MB) and the API does nothing.
 */
export async function startTracing(
  service: TracedService,
  env: TracingEnv,
  log: Logger,
): Promise<void> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = env
  if (endpoint === undefined) return
  const { createSdk } = await import('./tracing-sdk.js')
  sdk = createSdk(service, { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, log)
  context.setGlobalContextManager(sdk.contextManager)
  propagation.setGlobalPropagator(sdk.propagator)
  trace.setGlobalTracerProvider(sdk.provider)
}

export function isTracing(): boolean {
  return sdk !== undefined
}

/** Unregisters the SDK and sends the spans that wait, for a bounded time. */
export async function stopTracing(): Promise<void> {
  const stopped = sdk
  if (!stopped) return
  sdk = undefined
  trace.disable()
  propagation.disable()
  context.disable()
  // An export that fails is logged by the exporter.
  const flushed = stopped.provider.shutdown().catch(() => undefined)
  await Promise.race([flushed, sleep(FLUSH_TIMEOUT_MS, undefined, { ref: false })])
}

export class TracingShutdown {
  onApplicationShutdown = stopTracing
}

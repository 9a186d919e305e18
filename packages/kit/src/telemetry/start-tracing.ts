import { setTimeout as sleep } from 'node:timers/promises'
import { context, propagation, trace } from '@opentelemetry/api'
import type { Logger } from './logger.js'
import type { startSdk, TracingEnv } from './tracing-sdk.js'

/** Must be shorter than `SHUTDOWN_SLACK_MS` in bootstrap.ts. */
const FLUSH_TIMEOUT_MS = 2_000

let provider: ReturnType<typeof startSdk> | undefined

/** Loads and registers the SDK, which takes 3 MB, only if `OTEL_EXPORTER_OTLP_ENDPOINT` is set. */
export async function startTracing(
  service: { readonly name: string; readonly version: string },
  env: TracingEnv,
  log: Logger,
): Promise<void> {
  if (env.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return
  const { startSdk } = await import('./tracing-sdk.js')
  provider = startSdk(service, env.OTEL_EXPORTER_OTLP_ENDPOINT, env, log)
}

export function isTracing(): boolean {
  return provider !== undefined
}

/** Unregisters the SDK and sends the queued spans, for at most `FLUSH_TIMEOUT_MS`. */
export async function stopTracing(): Promise<void> {
  if (!provider) return
  // The exporter logs failed exports.
  const flushed = provider.shutdown().catch(() => undefined)
  provider = undefined
  for (const api of [trace, propagation, context]) api.disable()
  await Promise.race([flushed, sleep(FLUSH_TIMEOUT_MS, undefined, { ref: false })])
}

export class TracingShutdown {
  onApplicationShutdown = stopTracing
}

import { randomBytes } from 'node:crypto'
import { type Service, startService } from '@malipo/local/process'
import { Client } from '@malipo/testing/client'
import { type CollectedSpan, type Collector, startCollector } from '@malipo/testing/collector'
import { freshDatabase } from '@malipo/testing/database'
import { inject } from 'vitest'
import { startAuth } from './auth.js'
import { environment, migrate } from './payments.js'
import { until } from '@malipo/testing/until'

/** Both services as processes, and a collector that receives their spans. */
export interface Traced {
  readonly collector: Collector
  readonly auth: Service
  readonly payments: Service
  readonly client: Client
  readonly databaseUrl: string
  /** The spans of a trace, returned once at least `count` have arrived. */
  spansOf(traceId: string, count: number): Promise<CollectedSpan[]>
  close(): Promise<void>
}

type Own = Record<string, string | undefined>

/** Traces are recorded only if their `traceparent` is sampled, unless `own` sets the sampling ratio. */
export async function startTraced(own: Own = {}): Promise<Traced> {
  const collector = await startCollector()
  const common = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER_ARG: '0',
    LOG_LEVEL: 'info',
    LOG_REQUESTS: 'true',
    ...own,
  }
  const authDatabase = await freshDatabase('auth')
  const REDIS_URL = inject('redisUrl')
  const auth = await startAuth({ DATABASE_URL: authDatabase, REDIS_URL, ...common })
  const databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  const payments = await startService({
    name: 'payments',
    env: environment({ DATABASE_URL: databaseUrl, AUTH_SERVICE_URL: auth.url, ...common }),
  })
  return {
    collector,
    auth,
    payments,
    client: new Client(payments.url),
    databaseUrl,
    spansOf: async (traceId, count) => {
      const found = () => collector.spans.filter((span) => span.traceId === traceId)
      await until(() => found().length >= count)
      return found()
    },
    close: async () => {
      await Promise.all([payments.stop(), auth.stop()])
      await collector.close()
    },
  }
}

/**
 * A trace that a caller started: the header to send, and the id of the caller's span, which is the parent.
 */
export function beginTrace(flags = '01') {
  const traceId = randomBytes(16).toString('hex')
  const parentId = randomBytes(8).toString('hex')
  return { traceId, parentId, headers: { traceparent: `00-${traceId}-${parentId}-${flags}` } }
}

/** The log lines that contain these fields. */
export function linesOf({ output }: Service, fields: Record<string, unknown>) {
  return output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => Object.entries(fields).every(([name, value]) => line[name] === value))
}

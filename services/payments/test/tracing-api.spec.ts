import { createLogger } from '@malipo/kit/telemetry/logger'
import { startTracing, stopTracing } from '@malipo/kit/telemetry/start-tracing'
import { withSpan } from '@malipo/kit/telemetry/tracing'
import { startCollector } from '@malipo/testing/collector'
import { context, propagation, trace } from '@opentelemetry/api'
import { expect, it, onTestFinished } from 'vitest'

/** Any library can create spans through `@opentelemetry/api` alone, without importing kit. */

const STATEMENT = () => ({ name: 'statement', attributes: {} })

/**
 * Creates a library's span that contains a span of kit, which in turn contains another span of the library.
 */
async function callLibrary(): Promise<{ traceparent?: string }> {
  const library = trace.getTracer('library')
  const headers: { traceparent?: string } = {}
  await library.startActiveSpan('job', async (job) => {
    await withSpan(STATEMENT, async () => {
      library.startSpan('call').end()
      propagation.inject(context.active(), headers)
    })
    job.end()
  })
  return headers
}

async function start(ratio: number) {
  const collector = await startCollector()
  onTestFinished(() => collector.close())
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: {},
    OTEL_TRACES_SAMPLER_ARG: ratio,
  }
  await startTracing({ name: 'test', version: '1.0.0' }, env, createLogger('test', 'silent'))
  onTestFinished(stopTracing)
  return collector
}

it('nests spans of a library and of kit, and injects the active one', async () => {
  const collector = await start(1)
  const { traceparent } = await callLibrary()
  await stopTracing()
  const [job, statement, call] = ['job', 'statement', 'call'].map((name) =>
    collector.spans.find((span) => span.name === name),
  )
  expect(job?.parentSpanId).toBe('')
  expect(statement).toMatchObject({ parentSpanId: job?.spanId, traceId: job?.traceId })
  expect(call).toMatchObject({ parentSpanId: statement?.spanId, traceId: job?.traceId })
  expect(traceparent).toBe(`00-${job?.traceId}-${statement?.spanId}-01`)
})

it('records nothing of a trace that is not sampled, and sends on that it is not', async () => {
  const collector = await start(0)
  const { traceparent } = await callLibrary()
  await stopTracing()
  expect(collector.spans).toEqual([])
  expect(traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-00$/)
})

it('does nothing without an endpoint', async () => {
  const env = { OTEL_EXPORTER_OTLP_HEADERS: {}, OTEL_TRACES_SAMPLER_ARG: 1 }
  const service = { name: 'test', version: '1.0.0' }
  const log = createLogger('test', 'silent')
  await startTracing(service, { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: undefined }, log)
  expect(await callLibrary()).toEqual({})
})

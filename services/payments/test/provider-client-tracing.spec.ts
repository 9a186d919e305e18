import { createLogger } from '@malipo/kit/telemetry/logger'
import { startTracing, stopTracing } from '@malipo/kit/telemetry/start-tracing'
import { TRACER } from '@malipo/kit/telemetry/tracing'
import { startCollector } from '@malipo/testing/collector'
import { trace } from '@opentelemetry/api'
import { expect, it } from 'vitest'
import { CHARGE, testAdapter, tokenGrant } from './provider-client/test-adapter.js'
import { always, startClient } from './provider-client/test-client.js'
import { startTokenServer } from './provider-client/token-server.js'

it('a call within a recorded span has a span, and so has the request for its grant', async () => {
  const collector = await startCollector()
  const tracing = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: {},
    OTEL_TRACES_SAMPLER_ARG: 1,
  }
  const log = createLogger('payments', 'silent')
  await startTracing({ name: 'payments', version: '0' }, tracing, log)
  const server = await startTokenServer()
  const adapter = testAdapter({ needs: ['token'], grants: { token: tokenGrant(5) } })
  const { client } = startClient({ account: { baseUrl: server.url, adapter: 'test' }, adapter })
  await trace.getTracer(TRACER).startActiveSpan('work', async (span) => {
    await client.send(CHARGE, always)
    span.end()
  })
  await stopTracing()
  const { port } = new URL(server.url)
  const attributes = {
    'http.request.method': 'POST',
    'server.address': '127.0.0.1',
    'server.port': Number(port),
    'malipo.account': 'test',
  }
  const [work, grant, send] = ['work', 'grant test', 'send test'].map((name) =>
    collector.spans.find((span) => span.name === name),
  )
  expect(grant).toMatchObject({
    parentSpanId: work?.spanId,
    attributes: { ...attributes, 'http.response.status_code': 200 },
  })
  expect(send).toMatchObject({
    parentSpanId: work?.spanId,
    attributes: { ...attributes, 'http.response.status_code': 202 },
  })
  // Nothing that the request has is in a span, and the provider gets no trace.
  const bytes = collector.bytes().toString('latin1')
  for (const value of [CHARGE.reference, CHARGE.payer, 'newest-secret', 'token-of']) {
    expect(bytes).not.toContain(value)
  }
  await collector.close()
})

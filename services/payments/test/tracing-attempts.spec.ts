import { type Collector, startCollector } from '@malipo/testing/collector'
import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ProviderStage, startProviderStage } from './provider-stage.js'
import { beginTrace } from './traced.js'

/** The spans of a payment at the provider of the simulator, of which only the first request has a sampled trace. */

const NAMES = ['attempt send', 'attempt query', 'callback']

let collector: Collector
let stage: ProviderStage
beforeAll(async () => {
  collector = await startCollector()
  const own = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER_ARG: '0' }
  stage = await startProviderStage(own)
}, 60_000)
afterAll(async () => {
  await stage.close()
  await collector.close()
})

const spansNamed = (name: string) => collector.spans.filter((span) => span.name === name)

async function settled(headers: Record<string, string>): Promise<string> {
  const { body } = await stage.user.create({ provider: 'mtn-ug' }, headers)
  await until(async () => (await stage.user.get(body.reference)).body.status === 'SUCCESS')
  return body.reference as string
}

it('the calls and the callback of a payment link to the request that created it', async () => {
  const { traceId, headers } = beginTrace()
  const reference = await settled(headers)
  await until(() => NAMES.every((name) => spansNamed(name).length > 0))
  const created = collector.spans.find(
    (span) => span.traceId === traceId && span.name === 'POST /api/payments',
  )
  for (const span of NAMES.flatMap(spansNamed)) {
    expect(span).toMatchObject({ attributes: { 'malipo.account': 'mtn-ug' } })
    expect(span.links).toMatchObject([{ traceId, spanId: created?.spanId }])
    expect(span.traceId).not.toBe(traceId)
  }
  const [send] = spansNamed('attempt send')
  const inSend = collector.spans.filter((span) => span.traceId === send?.traceId)
  expect(inSend.map(({ name }) => name)).toContain('send mtn-momo')
  expect(collector.bytes().toString('latin1')).not.toContain(reference)
})

it('a payment whose request is not recorded has no spans', async () => {
  const before = collector.spans.length
  await settled(beginTrace('00').headers)
  const { traceId, headers } = beginTrace()
  await settled(headers)
  await until(() => collector.spans.slice(before).some(({ name }) => name === 'callback'))
  const later = collector.spans.slice(before).filter(({ name }) => NAMES.includes(name))
  expect(later.filter(({ links }) => links[0]?.traceId !== traceId)).toEqual([])
})

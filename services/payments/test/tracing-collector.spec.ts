import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@malipo/local/free-port'
import { type Service, startService } from '@malipo/local/process'
import { Client } from '@malipo/testing/client'
import { type Collector, startCollector } from '@malipo/testing/collector'
import { freshDatabase } from '@malipo/testing/database'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { newUser, startAuth, type User } from './auth.js'
import { environment, migrate } from './payments.js'
import { as } from './requests.js'
import { beginTrace, linesOf } from './traced.js'
import { until } from '@malipo/testing/until'

/** Payments as a process, with a collector that accepts spans, rejects them or is unavailable. */

let databaseUrl: string
let owner: User
let folder: string
let running: Service | undefined
let collector: Collector

beforeAll(async () => {
  databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  owner = await newUser()
  folder = await mkdtemp(join(tmpdir(), 'malipo-tracing-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(async () => {
  collector = await startCollector()
})
afterEach(async () => {
  await running?.stop()
  await collector.close()
})

async function start(own: Record<string, string | undefined>) {
  running = await startService({
    name: 'payments',
    env: environment({ DATABASE_URL: databaseUrl, LOG_LEVEL: 'info', ...own }),
  })
  const client = new Client(running.url)
  return { service: running, client, user: as(owner, { client }) }
}

/** The scripts that a process loaded, according to its coverage report. */
async function loadedBy(own: Record<string, string | undefined>): Promise<string[]> {
  const coverage = await mkdtemp(join(folder, 'loaded-'))
  const { service, user } = await start({ ...own, NODE_V8_COVERAGE: coverage })
  await user.create({}, beginTrace().headers)
  expect(await service.stop()).toBe(0)
  const reports = await Promise.all(
    (await readdir(coverage)).map((file) => readFile(join(coverage, file), 'utf8')),
  )
  return reports.flatMap((report) =>
    (JSON.parse(report) as { result: { url: string }[] }).result.map(({ url }) => url),
  )
}

/** The scripts of OpenTelemetry, except for its API, which prom-client also imports. */
const ofOpenTelemetry = (urls: string[]) =>
  urls.filter((url) => /@opentelemetry\/(?!api\/)|tracing-sdk/.test(url))

describe('without a collector', () => {
  it('loads nothing of OpenTelemetry but its API', async () => {
    const without = await loadedBy({})
    expect(without.length).toBeGreaterThan(100)
    expect(ofOpenTelemetry(without)).toEqual([])
    const traced = await loadedBy({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
    expect(ofOpenTelemetry(traced)).not.toEqual([])
  })

  it('logs the trace id of an incoming traceparent', async () => {
    const { service, user } = await start({ LOG_REQUESTS: 'true' })
    const { traceId, headers } = beginTrace()
    await user.create({}, headers)
    await until(() => linesOf(service, { traceId }).length > 0)
  })
})

describe('a collector', () => {
  it('receives the last spans on shutdown, with the configured headers', async () => {
    const { service, user } = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20bWFsaXBv,x-tenant=one',
    })
    const { traceId, headers } = beginTrace()
    await user.create({}, headers)
    expect(collector.spans).toEqual([])
    expect(await service.stop()).toBe(0)
    expect(collector.spans.map((span) => span.traceId)).toContain(traceId)
    expect(collector.headers[0]).toMatchObject({
      authorization: 'Basic bWFsaXBv',
      'x-tenant': 'one',
    })
  })

  it('receives the configured ratio of root traces', async () => {
    const { user, service } = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER_ARG: '0.5',
    })
    await Promise.all(Array.from({ length: 100 }, () => user.create()))
    await service.stop()
    const requests = collector.spans.filter(({ name }) => name === 'POST /api/payments')
    // Binomial(100, 0.5): the probability of a value outside this range is below one in a million.
    expect(requests.length).toBeGreaterThan(25)
    expect(requests.length).toBeLessThan(75)
  })

  it('receives no span of auth for a request that payments does not record', async () => {
    const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }
    const auth = await startAuth({
      ...traced,
      DATABASE_URL: await freshDatabase('auth'),
      REDIS_URL: inject('redisUrl'),
      OTEL_TRACES_SAMPLER_ARG: '1',
    })
    const { service, client } = await start({
      ...traced,
      AUTH_SERVICE_URL: auth.url,
      OTEL_TRACES_SAMPLER_ARG: '0',
    })
    const { token } = await newUser(auth.url)
    expect((await as({ token }, { client }).create()).status).toBe(201)
    await Promise.all([service.stop(), auth.stop()])
    const names = collector.spans.map(({ name }) => name)
    expect(names).toContain('POST /api/auth/login')
    expect(names).not.toContain('GET /api/auth/validate')
  })

  it.each([
    // These requests create more spans than the queue holds.
    ['is unreachable', async () => `http://127.0.0.1:${await freePort()}`, undefined, 1_500],
    ['never answers', () => collector.url, 'hang' as const, 200],
    ['rejects spans', () => collector.url, 400 as const, 200],
    ['is overloaded', () => collector.url, 503 as const, 200],
  ])(
    'that %s fails no request, delays none and is logged once',
    async (_, where, answers, requests) => {
      if (answers) collector.answer(answers)
      const { service, user } = await start({
        OTEL_EXPORTER_OTLP_ENDPOINT: await where(),
        OTEL_TRACES_SAMPLER_ARG: '1',
      })
      const began = Date.now()
      let made = 0
      const client = async () => {
        while (made < requests) {
          made++
          const { status } = await user.create()
          expect(status).toBe(201)
        }
      }
      await Promise.all(Array.from({ length: 16 }, client))
      expect(Date.now() - began).toBeLessThan(20_000)
      await until(() => linesOf(service, { part: 'tracing' }).length > 0)
      const stopping = Date.now()
      expect(await service.stop()).toBe(0)
      expect(Date.now() - stopping).toBeLessThan(5_000)
      const lines = linesOf(service, { part: 'tracing' })
      expect(lines).toHaveLength(1)
      expect(lines[0]).toMatchObject({ level: 'warn' })
    },
  )

  it('that recovers is logged, and receives spans again', async () => {
    collector.answer(400)
    const { service, user } = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
    await user.create({}, beginTrace().headers)
    await until(() => linesOf(service, { part: 'tracing', level: 'warn' }).length > 0)
    collector.answer(200)
    const { traceId, headers } = beginTrace()
    await user.create({}, headers)
    await until(() => linesOf(service, { part: 'tracing', level: 'info' }).length > 0)
    expect(collector.spans.map((span) => span.traceId)).toContain(traceId)
  })
})

it.each([
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'no pair'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=%'],
  ['OTEL_TRACES_SAMPLER_ARG', '10'],
  ['OTEL_TRACES_SAMPLER_ARG', '-1'],
  ['LOG_REQUESTS', 'perhaps'],
])('%s=%s stops the process with a line that names the variable', async (name, value) => {
  await expect(start({ [name]: value })).rejects.toThrow(`configuration: ${name} `)
})

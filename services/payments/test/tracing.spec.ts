import { randomUUID } from 'node:crypto'
import { Client } from '@malipo/testing/client'
import type { CollectedSpan } from '@malipo/testing/collector'
import { query } from '@malipo/testing/database'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { newUser, type User } from './auth.js'
import { holdWrites, untilBlocked } from './locks.js'
import { as, type As, newPayment, paymentInput } from './requests.js'
import { beginTrace, linesOf, startTraced, type Traced } from './traced.js'
import { until } from '@malipo/testing/until'

/** The spans of requests that go through both services. */

let redisWire: Proxy
let stage: Traced
let owner: User
let user: As

beforeAll(async () => {
  const redis = new URL(inject('redisUrl'))
  redisWire = await startProxy(Number(redis.port))
  redis.port = String(redisWire.port)
  stage = await startTraced({ REDIS_URL: redis.href })
  owner = await newUser(stage.auth.url)
  user = as(owner, stage)
})
afterAll(async () => {
  await stage.close()
  await redisWire.close()
})

const spanOf = (spans: readonly CollectedSpan[], service: string, name: string) => {
  const found = spans.filter((span) => span.service === service && span.name === name)
  expect(found, `${name} of ${service}`).not.toHaveLength(0)
  return found[0]!
}

/** The payments database, for helpers that check its locks. */
const database = {
  sql: (text: string, ...values: unknown[]) => query(stage.databaseUrl, text, values) as never,
}

/**
 * Formats spans as an indented tree. Siblings are sorted by name, since some start in the same millisecond.
 */
function tree(spans: readonly CollectedSpan[], parentId: string, indent = ''): string[] {
  return spans
    .filter(({ parentSpanId }) => parentSpanId === parentId)
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .flatMap((span) => [
      `${indent}${span.service} ${span.kind} ${span.name}`,
      ...tree(spans, span.spanId, `${indent}  `),
    ])
}

describe('a request', () => {
  it('is one trace through payments, Redis, auth and both databases', async () => {
    // The first request opens the connections.
    await newPayment(user)
    const { token } = await newUser(stage.auth.url)
    const { traceId, parentId, headers } = beginTrace()
    expect((await as({ token }, stage).create({}, headers)).status).toBe(201)

    const spans = await stage.spansOf(traceId, 11)
    expect(tree(spans, parentId)).toEqual([
      'payments server POST /api/payments',
      '  payments client GET /api/auth/validate',
      '    auth server GET /api/auth/validate',
      '      auth client session_holder',
      // The entry, then the new proof of the session, then both again after the answer of auth.
      '  payments client MGET',
      '  payments client MGET',
      '  payments client MGET',
      '  payments client payment_insert',
      '  payments client PEXPIRE',
      '  payments client SET',
      '  payments client SET',
    ])
    for (const { startMs, endMs } of spans) expect(endMs).toBeGreaterThanOrEqual(startMs)
  })

  it('has the attributes of OpenTelemetry’s semantic conventions', async () => {
    const { token } = await newUser(stage.auth.url)
    const { traceId, headers } = beginTrace()
    await as({ token }, stage).create({}, headers)
    const spans = await stage.spansOf(traceId, 8)
    expect(spanOf(spans, 'payments', 'POST /api/payments')).toMatchObject({
      resource: { 'service.name': 'payments', 'service.version': expect.stringMatching(/^\d/) },
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/api/payments',
        'http.response.status_code': 201,
        'url.scheme': 'http',
      },
      failed: false,
    })
    const authUrl = new URL(stage.auth.url)
    expect(spanOf(spans, 'payments', 'GET /api/auth/validate').attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'server.address': authUrl.hostname,
      'server.port': Number(authUrl.port),
      'url.full': `${authUrl.origin}/api/auth/validate`,
      'url.template': '/api/auth/validate',
    })
    const database = new URL(stage.databaseUrl)
    expect(spanOf(spans, 'payments', 'payment_insert').attributes).toEqual({
      'db.system.name': 'postgresql',
      'db.namespace': database.pathname.slice(1),
      'db.query.summary': 'payment_insert',
      'server.address': database.hostname,
      'server.port': Number(database.port),
      'malipo.pool_wait_ms': expect.any(Number),
    })
    expect(spanOf(spans, 'payments', 'MGET').attributes).toMatchObject({
      'db.system.name': 'redis',
      'db.operation.name': 'MGET',
    })
  })

  it('has a span for a query of TypeORM', async () => {
    const { traceId, headers } = beginTrace()
    await stage.client.get('/api/payments?limit=1', { token: owner.token, headers })
    const spans = await stage.spansOf(traceId, 2)
    expect(spanOf(spans, 'payments', 'payment_list').kind).toBe('client')
  })

  it.each([
    [
      'a payment that does not exist',
      'GET',
      '/api/payments/PAY-1',
      404,
      'GET /api/payments/:reference',
      'payment-not-found',
    ],
    ['a missing token', 'GET', '/api/payments', 401, 'GET /api/payments', 'unauthenticated'],
    ['an unknown route', 'POST', '/nothing/here', 404, 'POST', 'not-found'],
  ])('names the problem of %s', async (cause, ...[method, path, status, name, problem]) => {
    const { traceId, headers } = beginTrace()
    const token = cause === 'a missing token' ? {} : { token: owner.token }
    const answer = await stage.client.sendUnchecked(method, path, { ...token, headers })
    expect(answer.status).toBe(status)
    const spans = await stage.spansOf(traceId, 1)
    const span = spanOf(spans, 'payments', name)
    expect(span.attributes).toMatchObject({
      'http.response.status_code': status,
      'malipo.problem': problem,
    })
    // A 4xx response does not make the server's span an error.
    expect(span.failed).toBe(false)
  })
})

describe('a batch of requests', () => {
  /** Expects a span with this name that links to several requests in `traces`, and a link back from each. */
  async function expectShared(name: string, traces: readonly { traceId: string }[]) {
    const isOf = ({ traceId }: { traceId: string }) => traces.some((one) => one.traceId === traceId)
    const named = () => stage.collector.spans.filter((span) => span.name === name)
    const shared = () => named().filter(({ links }) => links.some(isOf))
    await until(() =>
      traces.every(({ traceId }) => named().some((span) => traceId === span.traceId)),
    )
    await until(() => shared().length > 0)
    expect(Math.max(...shared().map(({ links }) => links.length))).toBeGreaterThan(1)
    for (const { links, traceId, spanId, parentSpanId, attributes } of shared()) {
      expect(parentSpanId).toBe('')
      expect(attributes['malipo.requests']).toBeGreaterThanOrEqual(links.length)
      for (const link of links) {
        const request = stage.collector.spans.find((span) => span.spanId === link.spanId)
        expect(request).toMatchObject({ name: 'POST /api/payments', traceId: link.traceId })
        const own = named().filter((span) => span.parentSpanId === link.spanId)
        expect(own).toContainEqual(
          expect.objectContaining({ links: [{ traceId, spanId }], kind: 'internal' }),
        )
      }
    }
  }

  it('shares one statement span, with links in both directions', async () => {
    await newPayment(user)
    const letGo = await holdWrites(stage.databaseUrl)
    const traces = Array.from({ length: 8 }, () => beginTrace())
    const unrecorded = Array.from({ length: 2 }, () => beginTrace('00'))
    // At most two statements are in flight, so the later requests wait and form a batch.
    const ahead = user.create({}, beginTrace('00').headers)
    await untilBlocked(database, 1)
    const creates = [...traces, ...unrecorded].map(({ headers }) => user.create({}, headers))
    await untilBlocked(database, 2)
    await letGo()
    const answers = await Promise.all([ahead, ...creates])
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201))
    await expectShared('payment_insert', traces)
    const own = stage.collector.spans.filter(
      ({ name, traceId }) =>
        name === 'payment_insert' && traces.some((one) => one.traceId === traceId),
    )
    expect(own).toHaveLength(traces.length)
    for (const { traceId } of unrecorded) {
      expect(stage.collector.spans.filter((span) => span.traceId === traceId)).toEqual([])
    }
  })

  it('shares one Redis span, with links in both directions', async () => {
    const users = await Promise.all(Array.from({ length: 10 }, () => newUser(stage.auth.url)))
    const traces = users.map(() => beginTrace())
    // Delays Redis by less than the 50 ms after which requests stop waiting for Redis.
    redisWire.slow(30)
    onTestFinished(() => redisWire.slow(0))
    await Promise.all(users.map((one, n) => as(one, stage).create({}, traces[n]?.headers)))
    await expectShared('MGET', traces)
  })
})

describe('a trace', () => {
  it('is not recorded by either service if the caller’s traceparent is not sampled', async () => {
    const { token } = await newUser(stage.auth.url)
    const off = beginTrace('00')
    await as({ token }, stage).create({}, off.headers)
    const on = beginTrace()
    await user.create({}, on.headers)
    await stage.spansOf(on.traceId, 2)
    expect(stage.collector.spans.filter(({ traceId }) => traceId === off.traceId)).toEqual([])
  })

  it.each(['nonsense', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`, `ff-${'a'.repeat(32)}-01`])(
    'ignores the invalid traceparent %j',
    async (traceparent) => {
      const requestId = randomUUID()
      await user.create({}, { traceparent, 'x-request-id': requestId })
      await until(() => linesOf(stage.payments, { requestId }).length > 0)
      const [line] = linesOf(stage.payments, { requestId })
      // The sampling ratio is 0 here.
      expect(line).not.toHaveProperty('traceId')
    },
  )

  it('has its id in the log line of the request, recorded or not', async () => {
    for (const { traceId, headers } of [beginTrace(), beginTrace('00')]) {
      await user.create({}, headers)
      await until(() => linesOf(stage.payments, { traceId }).length > 0)
      expect(linesOf(stage.payments, { traceId })).toMatchObject([
        { msg: 'request', route: '/api/payments', status: 201, actor: owner.id },
      ])
    }
  })

  it('has its id in the log line of a request whose client disconnected', async () => {
    const letGo = await holdWrites(stage.databaseUrl)
    const { traceId, headers } = beginTrace()
    const leaving = new AbortController()
    const asked = new Client(stage.payments.url).sendUnchecked('POST', '/api/payments', {
      body: paymentInput(),
      token: owner.token,
      headers,
      signal: leaving.signal,
    })
    await untilBlocked(database, 1)
    leaving.abort()
    await expect(asked).rejects.toThrow('aborted')
    await until(() => linesOf(stage.payments, { traceId }).length > 0)
    expect(linesOf(stage.payments, { traceId })).toMatchObject([
      { msg: 'request', method: 'POST', route: '/api/payments', actor: owner.id, status: 499 },
    ])
    await letGo()
  })

  it('is the exemplar of its request’s histogram bucket, in OpenMetrics format only', async () => {
    const { traceId, headers } = beginTrace()
    await user.create({}, headers)
    const accept = 'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3'
    let text = ''
    await until(async () => {
      const metrics = await fetch(`${stage.payments.url}/metrics`, { headers: { accept } })
      expect(metrics.headers.get('content-type')).toContain('application/openmetrics-text')
      text = await metrics.text()
      return text.includes(traceId)
    })
    expect(text).toMatch(/# EOF\n$/)
    const [, name, labels, exemplar = ''] =
      /^(\w+)\{(.*)\} \d+ # \{(.*)\}/m.exec(
        text.split('\n').find((l) => l.includes(traceId)) ?? '',
      ) ?? []
    expect(name).toBe('http_request_duration_seconds_bucket')
    expect(labels).toContain('route="/api/payments"')
    expect(exemplar).toMatch(new RegExp(`^trace_id="${traceId}",span_id="[0-9a-f]{16}"$`))
    const plain = await (await fetch(`${stage.payments.url}/metrics`)).text()
    expect(plain).not.toContain(traceId)
    expect(plain).toMatch(/^token_checks_total\{/m)
    expect(text).toMatch(/^token_checks_total\{/m)
  })
})

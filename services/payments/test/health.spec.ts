import { freshDatabase } from '@malipo/testing/database'
import { Client } from '@malipo/testing/client'
import { startRedis } from '@malipo/local/redis'
import { describe, expect, it } from 'vitest'
import { listening, migrate, untilReady } from './payments.js'
import { as } from './requests.js'
import { until } from '@malipo/testing/until'
import { withPayments } from './with-payments.js'

const { payments, owner } = await withPayments()

describe('/health', () => {
  it('live returns ok', async () => {
    expect(await payments.client.get('/health/live')).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    })
  })

  it('ready returns ok, and /health the details', async () => {
    const ready = async () => (await payments.client.get('/health/ready')).body.status as string
    await until(async () => (await ready()) === 'ok')
    expect((await payments.client.get('/health')).body).toMatchObject({
      status: 'ok',
      details: { auth: { status: 'up' }, database: { status: 'up' }, redis: { status: 'up' } },
    })
  })

  it('ready returns 503 until the migrations are applied', async () => {
    const DATABASE_URL = await freshDatabase('unmigrated')
    const app = await listening({ DATABASE_URL, DB_WAIT_MS: '300' })
    const client = new Client(await app.getUrl())
    await until(async () =>
      /migrations/.test(String((await client.get('/health/ready')).body.detail)),
    )
    const answer = await client.get('/health/ready')
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(answer.body.type).toBe('/problems/not-ready')
    expect((await client.get('/health/live')).status).toBe(200)
    expect((await as(owner, { client }).create()).status).toBe(503)
    await migrate(DATABASE_URL)
    await untilReady(client)
    expect((await as(owner, { client }).create()).status).toBe(201)
    await app.close()
  })

  it('reports a Redis that fails later as degraded, with 200', async () => {
    const redis = await startRedis()
    const replica = await payments.replica({ REDIS_URL: redis?.url })
    await redis?.kill()
    const state = async () =>
      (await replica.client.get('/health')).body.details.redis.status as string
    await until(async () => (await state()) === 'degraded')
    const ready = await replica.client.get('/health/ready')
    expect(ready).toMatchObject({ status: 200, body: { status: 'degraded' } })
    await replica.close()
    await redis?.stop()
  })

  it('reports an auth that is unreachable as degraded, with 200', async () => {
    const replica = await payments.replica({ AUTH_SERVICE_URL: 'http://127.0.0.1:9' })
    expect(await replica.client.get('/health')).toMatchObject({
      status: 200,
      body: { status: 'degraded', details: { auth: { message: 'unreachable' } } },
    })
    await replica.close()
  })

  it('reports a Redis that is not configured, with ok', async () => {
    const replica = await payments.replica({ REDIS_URL: undefined })
    const { body } = await replica.client.get('/health')
    expect(body).toMatchObject({ status: 'ok', details: { redis: { configured: false } } })
    expect((await as(owner, replica).create()).status).toBe(201)
    await replica.close()
  })
})

describe('/metrics', () => {
  it('measures requests by method, route template and status, not by path', async () => {
    const { body } = await as(owner, payments).create()
    await as(owner, payments).get(body.reference as string)
    await as(owner, payments).list('?customerPhone=0772123456')
    await payments.client.get('/api/nothing/0772123456')
    const count = (method: string, route: string, status: number) =>
      payments.metric(
        `http_request_duration_seconds_count{method="${method}",route="${route}",status_code="${status}"}`,
      )
    expect(await count('POST', '/api/payments', 201)).toBe(1)
    expect(await count('GET', '/api/payments/:reference', 200)).toBe(1)
    expect(await count('GET', '/api/payments', 200)).toBe(1)
    expect(await count('GET', 'unmatched', 404)).toBe(1)
    const { body: text, headers } = await payments.client.get('/metrics')
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(text).not.toContain(body.reference)
    expect(text).not.toContain('772123456')
  })

  it('counts token checks and webhooks by outcome', async () => {
    const { body } = await payments.client.get('/metrics')
    expect(body).toMatch(/^token_checks_total\{outcome="\w+"\} [1-9]/m)
    expect(body).toMatch(/^# TYPE webhooks_total counter$/m)
    expect(body).toMatch(/^process_resident_memory_bytes [1-9]/m)
  })
})

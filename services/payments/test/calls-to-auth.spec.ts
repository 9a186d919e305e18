import { type Service } from '@malipo/local/process'
import { type Redis, startRedis } from '@malipo/local/redis'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { freshDatabase } from '@malipo/testing/database'
import { Redis as RedisClient } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newUser, startAuth, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'

/** What a call to auth sends, and how a request behaves if the connection to auth is slow or cut. */

let auth: Service
let redis: Redis
let proxy: Proxy
let payments: Payments
let sent = ''

beforeAll(async () => {
  auth = await startAuth({ DATABASE_URL: await freshDatabase('auth') })
  const started = await startRedis()
  if (!started) throw new Error('Redis is not installed')
  redis = started
  let lostId = ''
  proxy = await startProxy(auth.port, (data) => {
    sent += data.toString('latin1')
    return lostId !== '' && data.includes(lostId)
  })
  loseAnswerTo = (id) => {
    lostId = id
    proxy.loseNextAnswer()
  }
  payments = await startPayments({
    AUTH_SERVICE_URL: `http://127.0.0.1:${proxy.port}`,
    REDIS_URL: redis.url,
    DB_WAIT_MS: '500',
  })
})
afterAll(async () => {
  await payments.close()
  await proxy.close()
  await Promise.all([auth.stop(), redis.stop()])
})
beforeEach(() => {
  sent = ''
  // Arms the proxy with an id that never matches, so that the callback above records all data.
  loseAnswerTo('an id that no request has')
})

let loseAnswerTo: (id: string) => void
const list = ({ token }: User, headers: Record<string, string> = {}) =>
  payments.client.get('/api/payments', { token, headers })

describe('a call to auth', () => {
  it('propagates the request id and the trace', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await list(await newUser(auth.url), { 'x-request-id': 'request-1', traceparent })
    expect(sent).toMatch(/^GET \/api\/auth\/validate HTTP\/1\.1\r\n/)
    expect(sent).toMatch(/^x-request-id: request-1\r$/im)
    expect(sent).toMatch(new RegExp(`^traceparent: ${traceparent}\r$`, 'im'))
  })

  it('does not propagate malformed headers', async () => {
    const headers = { 'x-request-id': 'not sane', traceparent: '00-1-2-3' }
    const answer = await list(await newUser(auth.url), headers)
    expect(sent).not.toMatch(/not sane|traceparent/)
    expect(sent).toContain(answer.headers.get('x-request-id'))
  })

  it('is retried if its keep-alive connection is closed during the call', async () => {
    const user = await newUser(auth.url)
    loseAnswerTo('cut-off')
    expect((await list(user, { 'x-request-id': 'cut-off' })).status).toBe(200)
    // The proxy cut the connection after receiving the first call, so the second call got the response.
    expect(sent).toContain('cut-off')
  })

  it('times out, and the request gets 503', async () => {
    const user = await newUser(auth.url)
    process.kill(auth.pid, 'SIGSTOP')
    try {
      const begin = Date.now()
      const { status, headers } = await list(user)
      expect(status).toBe(503)
      expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      expect(Date.now() - begin).toBeLessThan(10_000)
    } finally {
      process.kill(auth.pid, 'SIGCONT')
    }
    expect((await list(user)).status).toBe(200)
  })
})

describe('a call to auth while Redis hangs', () => {
  it('does not wait for Redis', async () => {
    const user = await newUser(auth.url)
    const redisClient = new RedisClient(redis.url)
    await redisClient.call('CLIENT', 'PAUSE', '4000', 'ALL')
    const begin = Date.now()
    expect((await list(user)).status).toBe(200)
    expect(Date.now() - begin).toBeLessThan(3_500)
    redisClient.disconnect()
  })
})

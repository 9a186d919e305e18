import { type Service } from '@malipo/local/process'
import { type Redis, startRedis } from '@malipo/local/redis'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { freshDatabase } from '@malipo/testing/database'
import { Redis as RedisClient } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newUser, startAuth, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'

/** What goes over the wire to auth, and what a slow or a cut one does to a request. */

let auth: Service
let redis: Redis
let wire: Proxy
let payments: Payments
let sent = ''

beforeAll(async () => {
  auth = await startAuth({ DATABASE_URL: await freshDatabase('auth') })
  const started = await startRedis()
  if (!started) throw new Error('no Redis')
  redis = started
  let losing = ''
  wire = await startProxy(auth.port, (data) => {
    sent += data.toString('latin1')
    return losing !== '' && data.includes(losing)
  })
  loseAnswerTo = (id) => {
    losing = id
    wire.loseNextAnswer()
  }
  payments = await startPayments({
    AUTH_SERVICE_URL: `http://127.0.0.1:${wire.port}`,
    REDIS_URL: redis.url,
    DB_WAIT_MS: '500',
  })
})
afterAll(async () => {
  await payments.close()
  await wire.close()
  await Promise.all([auth.stop(), redis.stop()])
})
beforeEach(() => {
  sent = ''
  loseAnswerTo('nothing, but from now on all is seen')
})

let loseAnswerTo: (id: string) => void
const list = ({ token }: User, headers: Record<string, string> = {}) =>
  payments.client.get('/api/payments', { token, headers })

describe('a call to auth', () => {
  it('carries the request’s id and trace on', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await list(await newUser(auth.url), { 'x-request-id': 'on-its-way', traceparent })
    expect(sent).toMatch(/^GET \/api\/auth\/validate HTTP\/1\.1\r\n/)
    expect(sent).toMatch(/^x-request-id: on-its-way\r$/im)
    expect(sent).toMatch(new RegExp(`^traceparent: ${traceparent}\r$`, 'im'))
  })

  it('carries nothing on that is not sane', async () => {
    const headers = { 'x-request-id': 'not sane', traceparent: '00-1-2-3' }
    const answer = await list(await newUser(auth.url), headers)
    expect(sent).not.toMatch(/not sane|traceparent/)
    expect(sent).toContain(answer.headers.get('x-request-id'))
  })

  it('whose kept-alive connection was closed as it was used is made again', async () => {
    const user = await newUser(auth.url)
    loseAnswerTo('cut-off')
    expect((await list(user, { 'x-request-id': 'cut-off' })).status).toBe(200)
    // The wire was cut after this, so it is the second call that was answered.
    expect(sent).toContain('cut-off')
  })

  it('that gets no answer is given up: 503, and the request does not hang', async () => {
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

describe('a Redis that does not answer', () => {
  it('is not waited for: auth is asked', async () => {
    const user = await newUser(auth.url)
    const peek = new RedisClient(redis.url)
    await peek.call('CLIENT', 'PAUSE', '4000', 'ALL')
    const begin = Date.now()
    expect((await list(user)).status).toBe(200)
    expect(Date.now() - begin).toBeLessThan(3_500)
    peek.disconnect()
  })
})

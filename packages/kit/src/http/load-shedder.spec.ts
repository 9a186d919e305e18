import { Agent, createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { shedOverload } from './load-shedder.js'

const LIMITS = {
  maxTickMs: 10,
  maxInFlight: 20,
  saturatedAfterMs: 200,
  targetLatencyMs: 20,
  minInFlight: 3,
  maxRejectMs: 0,
}

const registry = new Registry()
const agent = new Agent({ keepAlive: true, maxSockets: 1_000 })
/** How long each request blocks the event loop, ms. */
let workMs = 0
/** Responses wait for this promise without using the CPU, as during an outage of the database. */
let outage: Promise<void> | undefined
/** How long each response waits without using the CPU, ms. */
let waitMs = 0
let server: Server
let url: string

beforeEach(async () => {
  registry.clear()
  workMs = 0
  outage = undefined
  waitMs = 0
  server = createServer((_request, response) => {
    const startedAt = performance.now()
    while (performance.now() - startedAt < workMs);
    const respond = () => response.end('done')
    void Promise.resolve(outage).then(() => (waitMs > 0 ? setTimeout(respond, waitMs) : respond()))
  })
  shedOverload(server, registry, LIMITS)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

interface Received {
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

function send(path = '/api/payments/PAY-1?customerPhone=%2B256772123456'): Promise<Received> {
  return new Promise((resolve, reject) => {
    get(url + path, { agent }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text) => (body += text))
      const { statusCode: status, headers } = response
      response.on('end', () => resolve({ status, headers, body }))
    }).on('error', reject)
  })
}

const sendAll = (count: number, path?: string) =>
  Promise.all(Array.from({ length: count }, () => send(path)))

/**
 * Sends concurrent requests over connections that are already open, so that they arrive in one event-loop
 * tick. Each admitted request takes a second.
 */
async function burst(count: number, path?: string) {
  await sendAll(count, path)
  workMs = 2
  const released = Promise.withResolvers<void>()
  outage = released.promise
  const responses = sendAll(count, path)
  setTimeout(released.resolve, 1_000)
  return responses
}

const withStatus = (status: number, responses: Received[]) =>
  responses.filter((each) => each.status === status)

describe('load shedder', () => {
  it('rejects the rest of a burst and counts it', async () => {
    const responses = await burst(100)
    const rejected = withStatus(503, responses)
    expect(rejected.length).toBeGreaterThan(20)
    expect(withStatus(200, responses)).toHaveLength(100 - rejected.length)
    expect(await registry.metrics()).toContain(`http_requests_shed_total ${rejected.length}`)
  })

  it('answers with a problem document, without the query', async () => {
    const [rejected] = withStatus(503, await burst(100))
    expect(rejected?.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/problem+json',
      'retry-after': '1',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
    })
    expect(JSON.parse(rejected?.body ?? '')).toEqual({
      type: '/problems/unavailable',
      title: 'Service unavailable',
      status: 503,
      detail: expect.stringMatching(/^The service is overloaded/),
      instance: '/api/payments/PAY-1',
      requestId: rejected?.headers['x-request-id'],
    })
  })

  it('never rejects probes', async () => {
    expect(withStatus(200, await burst(100, '/health/live'))).toHaveLength(100)
  })

  it('admits any number of requests that wait for a dependency, and a few slow ones', async () => {
    const released = Promise.withResolvers<void>()
    outage = released.promise
    const waiting = sendAll(100)
    await new Promise((resolve) => setTimeout(resolve, 200))
    const late = send()
    await new Promise((resolve) => setTimeout(resolve, 50))
    released.resolve()
    expect(withStatus(200, await waiting)).toHaveLength(100)
    expect((await late).status).toBe(200)
    outage = undefined
    workMs = 30
    expect(withStatus(200, await sendAll(15))).toHaveLength(15)
  })

  it('admits fewer under lasting overload: as many as complete in a short time', async () => {
    workMs = 4
    waitMs = 50
    const statuses: { since: number; status: number | undefined }[] = []
    const startedAt = performance.now()
    const since = () => performance.now() - startedAt
    // Fifteen clients are too few for a burst, but leave the event loop no idle time.
    const clients = Array.from({ length: 15 }, async () => {
      while (since() < 1_500) {
        const { status } = await send()
        statuses.push({ since: since(), status })
      }
    })
    await Promise.all(clients)
    const rejected = statuses.filter(({ status }) => status === 503)
    expect(rejected.length).toBeGreaterThan(20)
    expect(Math.min(...rejected.map((each) => each.since))).toBeGreaterThan(
      LIMITS.saturatedAfterMs / 2,
    )
    expect(statuses.filter(({ status }) => status === 200).length).toBeGreaterThan(50)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(withStatus(200, await sendAll(15))).toHaveLength(15)
  })

  it('writes rejections without delaying admitted requests', async () => {
    await sendAll(100)
    workMs = 2
    waitMs = 1
    const order: (number | undefined)[] = []
    const requests = Array.from({ length: 100 }, async () => order.push((await send()).status))
    await Promise.all(requests)
    expect(order).toContain(503)
    expect(order.lastIndexOf(200)).toBeLessThan(order.lastIndexOf(503))
  })

  it('admits requests again after a burst', async () => {
    await burst(100)
    outage = undefined
    expect((await send()).status).toBe(200)
  })
})

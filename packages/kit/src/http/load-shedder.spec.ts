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
/** How long the server works on a request, and whether its answers wait for something else. */
let workMs = 0
let outage: Promise<void> | undefined
/** For how long an answer waits beside the work, ms. */
let answerMs = 0
let server: Server
let url: string

beforeEach(async () => {
  registry.clear()
  workMs = 0
  outage = undefined
  answerMs = 0
  server = createServer((_request, response) => {
    const begun = performance.now()
    while (performance.now() - begun < workMs);
    const answer = () => response.end('done')
    void Promise.resolve(outage).then(() =>
      answerMs > 0 ? setTimeout(answer, answerMs) : answer(),
    )
  })
  shedOverload(server, registry, LIMITS)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

function ask(path = '/api/payments/PAY-1?customerPhone=%2B256772123456'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(url + path, { agent }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text) => (body += text))
      const { statusCode: status, headers } = response
      response.on('end', () => resolve({ status, headers, body }))
    }).on('error', reject)
  })
}

const askAll = (count: number, path?: string) =>
  Promise.all(Array.from({ length: count }, () => ask(path)))

/** A crowd over connections that stand already, so that it arrives at once; its answers take a second. */
async function crowd(count: number, path?: string) {
  await askAll(count, path)
  workMs = 2
  const held = Promise.withResolvers<void>()
  outage = held.promise
  const answers = askAll(count, path)
  setTimeout(held.resolve, 1_000)
  return answers
}

const having = (status: number, answers: Answer[]) =>
  answers.filter((answer) => answer.status === status)

describe('the door', () => {
  it('refuses what arrives beyond a crowd, and counts it', async () => {
    const answers = await crowd(100)
    const refused = having(503, answers)
    expect(refused.length).toBeGreaterThan(20)
    expect(having(200, answers)).toHaveLength(100 - refused.length)
    expect(await registry.metrics()).toContain(`http_requests_shed_total ${refused.length}`)
  })

  it('says so as every error is said, without the query', async () => {
    const [refused] = having(503, await crowd(100))
    expect(refused?.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/problem+json',
      'retry-after': '1',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
    })
    expect(JSON.parse(refused?.body ?? '')).toEqual({
      type: '/problems/unavailable',
      title: 'Not available just now',
      status: 503,
      detail: expect.stringMatching(/^More requests arrive/),
      instance: '/api/payments/PAY-1',
      requestId: refused?.headers['x-request-id'],
    })
  })

  it('lets probes and metrics pass', async () => {
    expect(having(200, await crowd(100, '/health/live'))).toHaveLength(100)
  })

  it('is open to any number that wait for an outage, and to a slow few', async () => {
    const held = Promise.withResolvers<void>()
    outage = held.promise
    const waiting = askAll(100)
    await new Promise((resolve) => setTimeout(resolve, 200))
    const late = ask()
    await new Promise((resolve) => setTimeout(resolve, 50))
    held.resolve()
    expect(having(200, await waiting)).toHaveLength(100)
    expect((await late).status).toBe(200)
    outage = undefined
    workMs = 30
    expect(having(200, await askAll(15))).toHaveLength(15)
  })

  it('lets in fewer once the crowd lasts: as many as leave in a short time', async () => {
    workMs = 4
    answerMs = 50
    const statuses: { since: number; status: number | undefined }[] = []
    const begun = performance.now()
    const since = () => performance.now() - begun
    // Fifteen are never too many at once, and never let the loop rest.
    const clients = Array.from({ length: 15 }, async () => {
      while (since() < 1_500) statuses.push({ since: since(), status: (await ask()).status })
    })
    await Promise.all(clients)
    const refused = statuses.filter(({ status }) => status === 503)
    expect(refused.length).toBeGreaterThan(20)
    expect(Math.min(...refused.map((each) => each.since))).toBeGreaterThan(
      LIMITS.saturatedAfterMs / 2,
    )
    expect(statuses.filter(({ status }) => status === 200).length).toBeGreaterThan(50)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(having(200, await askAll(15))).toHaveLength(15)
  })

  it('does not hold up those inside while it tells the others', async () => {
    await askAll(100)
    workMs = 2
    answerMs = 1
    const order: (number | undefined)[] = []
    const asked = Array.from({ length: 100 }, async () => order.push((await ask()).status))
    await Promise.all(asked)
    expect(order).toContain(503)
    expect(order.lastIndexOf(200)).toBeLessThan(order.lastIndexOf(503))
  })

  it('is open again once the crowd has gone', async () => {
    await crowd(100)
    outage = undefined
    expect((await ask()).status).toBe(200)
  })
})

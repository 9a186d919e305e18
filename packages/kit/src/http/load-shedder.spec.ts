import { Agent, type IncomingMessage, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fastify as createServer, type FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { shedOverload } from './load-shedder.js'
import type { Request } from './request.js'

/** The event loop never counts as idle, and requests count as in flight until they complete. */
const LIMITS = {
  maxInFlight: 4,
  maxInFlightPerCaller: 2,
  aloneAfter: 60_000,
  inFlightPeriod: 60_000,
  maxOpen: 10_000,
  maxOpenRaw: 12_000,
  maxQueued: 100,
  maxQueueTime: 60_000,
  maxEventLoopUtilization: 0,
  maxEventLoopUtilizationStalled: 0,
  stallThreshold: 0,
  sampleInterval: 5,
  minBurst: 4,
  maxRejectTime: 5,
}

interface Received {
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

const agent = new Agent({ keepAlive: true, maxSockets: 1_000 })
let server: FastifyInstance
afterEach(() => {
  server.server.closeAllConnections()
  return server.close()
})

/** A server whose handlers respond when the test completes them. */
async function listen(limits: Partial<typeof LIMITS> = {}, isBehind = () => false) {
  const registry = new Registry()
  server = createServer({ trustProxy: true })
  shedOverload(server, registry, isBehind, { ...LIMITS, ...limits })
  /** The names of the requests that were admitted, in this order. */
  const admitted: string[] = []
  const completions = new Map<string, () => void>()
  const handle = async ({ admission, headers }: Request) => {
    const name = String(headers['x-name'])
    if (name.includes('waits')) admission?.leave()
    if (name.includes('held')) admission?.hold()
    admitted.push(name)
    const { promise, resolve } = Promise.withResolvers<void>()
    completions.set(name, resolve)
    await promise
    return name
  }
  server.get('/api/payments/:reference', handle)
  server.get('/health/live', handle)
  const url = await server.listen()
  /** Sends a request with a name such as `A1.2`: the second one of caller 1 in network A. */
  const send = (name: string, path = '/api/payments/PAY-1?customerPhone=%2B256772123456') => {
    const headers = {
      'x-name': name,
      'x-forwarded-for': `192.0.2.${name.charCodeAt(0)}`,
      ...(name.includes('anonymous') ? {} : { authorization: `Bearer ${name.split('.', 1)[0]}` }),
    }
    const sent = httpRequest(url + path, { agent, headers })
    const received = new Promise<Received>((resolve, reject) => {
      sent.on('response', (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text) => (body += text))
        const { statusCode: status, headers: own } = response
        response.on('end', () => resolve({ status, headers: own, body }))
      })
      sent.on('error', reject)
    })
    // Requests that are pending at the end of a test fail.
    received.catch(() => undefined)
    sent.end()
    return { received, disconnect: () => sent.destroy() }
  }
  /** Sends a request and waits until the server has admitted or queued it. */
  const queued = async () =>
    Number(/^http_requests_queued (\d+)/m.exec(await registry.metrics())?.[1])
  const sendInOrder = async (names: string) => {
    const all: Promise<Received>[] = []
    for (const name of names.split(' ')) {
      const before = admitted.length + (await queued())
      all.push(send(name).received)
      await until(async () => expect(admitted.length + (await queued())).toBe(before + 1))
    }
    return { received: all }
  }
  const complete = async (name: string) => {
    await until(() => expect(completions.has(name)).toBe(true))
    completions.get(name)?.()
  }
  return { admitted, complete, completions, queued, registry, send, sendInOrder }
}

const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, 20_000)

describe('admission', () => {
  it('holds a caller at its limit, and admits others at once', async () => {
    const { admitted, sendInOrder } = await listen()
    await sendInOrder('A1.1 A1.2 A1.3 A2.1 B1.1')
    expect(admitted).toEqual(['A1.1', 'A1.2', 'A2.1', 'B1.1'])
  })

  it('limits a lone caller only with all callers together', async () => {
    const { admitted, sendInOrder } = await listen({ aloneAfter: 50 })
    await sendInOrder('A1.1')
    await sleep(60)
    await sendInOrder('A1.2 A1.3 A1.4 A1.5')
    expect(admitted).toEqual(['A1.1', 'A1.2', 'A1.3', 'A1.4'])
  })

  it('limits requests without a token only with all callers together', async () => {
    const { admitted, sendInOrder } = await listen()
    const names = Array.from({ length: 4 }, (_, i) => `A-anonymous.${i}`)
    await sendInOrder(names.join(' '))
    expect(admitted).toEqual(names)
  })

  it('limits the requests in flight of all callers together', async () => {
    const { admitted, sendInOrder, queued } = await listen()
    await sendInOrder('A1.1 A2.1 A3.1 A4.1 A5.1 B1.1')
    expect(admitted).toEqual(['A1.1', 'A2.1', 'A3.1', 'A4.1'])
    expect(await queued()).toBe(2)
  })

  it('admits a queued request when another one completes', async () => {
    const { admitted, complete, sendInOrder } = await listen()
    const {
      received: [first, , third],
    } = await sendInOrder('A1.1 A1.2 A1.3')
    await complete('A1.1')
    expect((await first)?.status).toBe(200)
    await complete('A1.3')
    expect((await third)?.body).toBe('A1.3')
    expect(admitted).toEqual(['A1.1', 'A1.2', 'A1.3'])
  })

  it('serves networks in turn, and callers in turn within a network', async () => {
    const { admitted, complete, sendInOrder } = await listen({ maxInFlight: 1 })
    await sendInOrder('Z1.1 A1.1 A1.2 A1.3 A2.1 B1.1 B1.2')
    for (let i = 0; i < 6; i++) {
      await complete(admitted[i] ?? '')
      await until(() => expect(admitted).toHaveLength(i + 2))
    }
    expect(admitted.join(' ')).toBe('Z1.1 A1.1 B1.1 A2.1 B1.2 A1.2 A1.3')
  })

  it('never queues probes', async () => {
    const { admitted, send, sendInOrder } = await listen({ maxInFlight: 1 })
    await sendInOrder('A1.1 A1.2')
    void send('A1.3', '/health/live')
    await until(() => expect(admitted).toEqual(['A1.1', 'A1.3']))
  })

  it('removes a queued request whose client has disconnected', async () => {
    const { admitted, complete, queued, send, sendInOrder } = await listen({ maxInFlight: 1 })
    const {
      received: [first],
    } = await sendInOrder('A1.1')
    const { disconnect } = send('A1.2')
    await until(async () => expect(await queued()).toBe(1))
    disconnect()
    await until(async () => expect(await queued()).toBe(0))
    await complete('A1.1')
    await first
    await sendInOrder('A1.3')
    expect(admitted).toEqual(['A1.1', 'A1.3'])
  })

  it('does not count a request that has left, because it waits for something else', async () => {
    const { admitted, sendInOrder } = await listen()
    await sendInOrder('A1.1-waits A1.2-waits A1.3 A1.4 A1.5')
    expect(admitted).toEqual(['A1.1-waits', 'A1.2-waits', 'A1.3', 'A1.4'])
  })

  it('does not count a request that is held, also not as open', async () => {
    const { admitted, complete, queued, sendInOrder } = await listen({ maxOpen: 1 })
    const names = ['A1.0-held', 'A1.1-held', 'A1.2-held', 'A1.3-held', 'A1.4-held']
    await sendInOrder(`${names.join(' ')} A1.9 A2.1`)
    expect(admitted).toEqual([...names, 'A1.9'])
    expect(await queued()).toBe(1)
    for (const name of names) await complete(name)
    await complete('A1.9')
    await until(() => expect(admitted.at(-1)).toBe('A2.1'))
  })

  it('stops counting a request that takes long, because it may wait for something else', async () => {
    const { admitted, sendInOrder } = await listen({ inFlightPeriod: 50 })
    await sendInOrder('A1.1 A1.2 A1.3')
    await until(() => expect(admitted).toEqual(['A1.1', 'A1.2', 'A1.3']))
  })
})

describe('while the event loop is idle', () => {
  const MANY = Array.from({ length: 300 }, (_, i) => `A1.${i}`)
  const idle = { maxEventLoopUtilizationStalled: 1.1, maxQueued: 1_000 }

  it('admits any number of requests, which wait for a dependency', async () => {
    const { admitted, send } = await listen(idle)
    for (const name of MANY) void send(name)
    await until(() => expect(admitted).toHaveLength(MANY.length))
  })

  it('admits none beyond the limits while requests complete in time', async () => {
    const { admitted, complete, sendInOrder } = await listen({ ...idle, stallThreshold: 10 ** 9 })
    const {
      received: [first],
    } = await sendInOrder('A1.1')
    await complete('A1.1')
    await first
    await sendInOrder('A1.2 A1.3 A1.4')
    await sleep(50)
    expect(admitted).toEqual(['A1.1', 'A1.2', 'A1.3'])
  })

  it('admits no further requests while the database is behind', async () => {
    const database = { isBehind: true }
    const { admitted, queued, send } = await listen(idle, () => database.isBehind)
    for (const name of MANY) void send(name)
    await until(async () => expect(await queued()).toBe(MANY.length - LIMITS.maxInFlightPerCaller))
    await sleep(50)
    expect(admitted).toHaveLength(LIMITS.maxInFlightPerCaller)
    database.isBehind = false
    await until(() => expect(admitted).toHaveLength(MANY.length))
  })

  it('limits the number of open requests', async () => {
    const { admitted, queued, send } = await listen({ ...idle, maxOpen: 100 })
    for (const name of MANY) void send(name)
    await until(async () => expect(await queued()).toBe(MANY.length - 100))
    await sleep(50)
    expect(admitted).toHaveLength(100)
  })
})

describe('rejection', () => {
  it('rejects the newest request of the longest flow if the queue is full, and counts it', async () => {
    const { admitted, complete, registry, send, sendInOrder } = await listen({
      maxInFlight: 1,
      maxQueued: 3,
    })
    const { received: all } = await sendInOrder('A1.1 A1.2 A1.3 A1.4')
    const other = send('B1.1').received
    expect((await all[3])?.status).toBe(503)
    expect(await registry.metrics()).toContain('http_requests_shed_total 1')
    await complete('A1.1')
    await complete('A1.2')
    await complete('B1.1')
    expect((await other).status).toBe(200)
    await complete('A1.3')
    expect(admitted).toEqual(['A1.1', 'A1.2', 'B1.1', 'A1.3'])
  })

  it('answers with a problem document, without the query', async () => {
    const { send, sendInOrder } = await listen({ maxInFlight: 1, maxQueued: 0 })
    await sendInOrder('A1.1')
    const { status, headers, body } = await send('A1.2').received
    expect(status).toBe(503)
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/problem+json',
      'retry-after': '1',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
    })
    expect(JSON.parse(body)).toEqual({
      type: '/problems/unavailable',
      title: 'Service unavailable',
      status: 503,
      detail: expect.stringMatching(/^The service is overloaded/),
      instance: '/api/payments/PAY-1',
      requestId: headers['x-request-id'],
    })
  })

  it('rejects a request that was queued for too long', async () => {
    const { send, sendInOrder } = await listen({ maxInFlight: 1, maxQueueTime: 50 })
    await sendInOrder('A1.1')
    expect((await send('A1.2').received).status).toBe(503)
  })
})

it('admits another caller soon while one sends over 90 connections, and rejects neither', async () => {
  const { admitted, completions, send } = await listen({
    stallThreshold: 100,
    maxEventLoopUtilization: 0.5,
  })
  const state = { isOver: false, sent: 0 }
  const work = setInterval(() => {
    for (const [name, complete] of completions) {
      const startedAt = performance.now()
      while (performance.now() - startedAt < 0.5);
      completions.delete(name)
      complete()
    }
  })
  const repeat = async (name: string, statuses: Set<number | undefined>) => {
    while (!state.isOver) {
      statuses.add((await send(`${name}.${state.sent++}`).received).status)
    }
  }
  const statuses = { busy: new Set<number | undefined>(), other: new Set<number | undefined>() }
  const running = [
    ...Array.from({ length: 90 }, () => repeat('A1', statuses.busy)),
    repeat('B1', statuses.other),
  ]
  const turnsOfOther = () => admitted.flatMap((name, i) => (name.startsWith('B') ? [i] : []))
  await vi.waitUntil(() => turnsOfOther().length > 30, 25_000)
  state.isOver = true
  await Promise.all(running)
  clearInterval(work)
  expect(statuses).toEqual({ busy: new Set([200]), other: new Set([200]) })
  const turns = turnsOfOther()
  const gaps = turns.slice(1).map((turn, i) => turn - (turns[i] ?? 0))
  // Without turns, 90 requests of the busy caller would be admitted between two of the other one.
  expect(gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length * 0.9)]).toBeLessThan(45)
})

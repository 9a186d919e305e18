import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  KEY,
  lengthOf,
  LIMIT_BYTES,
  MAX_OPEN,
  type Stage,
  startShelves,
  TEMPLATE,
} from './shelves.js'

const SMALL = Buffer.from('x')

describe('limits of raw bodies', () => {
  let stage: Stage
  beforeAll(async () => void (stage = await startShelves()))
  afterAll(() => stage.close())
  beforeEach(() => {
    stage.received.length = 0
    stage.hold()()
  })

  it('do not count invalid requests of the address', async () => {
    const large = Buffer.alloc(LIMIT_BYTES + 1)
    const statuses = []
    for (let i = 0; i < 8; i++) {
      statuses.push((await stage.send(large, { headers: lengthOf(large) })).status)
    }
    expect(new Set(statuses)).toEqual(new Set([413]))
  })

  it('reject requests beyond those that a key may have open, and none of another key', async () => {
    const complete = stage.hold()
    const open = Array.from({ length: MAX_OPEN }, () => stage.send(SMALL))
    await vi.waitUntil(() => stage.received.length === MAX_OPEN)
    const rejected = await stage.send(SMALL)
    expect([rejected.status, rejected.headers['retry-after']]).toEqual([503, '1'])
    open.push(stage.send(SMALL, { path: `/api/shelves/b/${KEY}` }))
    await vi.waitUntil(() => stage.received.length === MAX_OPEN + 1)
    complete()
    const answers = await Promise.all(open)
    expect(answers.map(({ status }) => status)).toEqual(Array(MAX_OPEN + 1).fill(200))
    expect((await stage.send(SMALL)).status).toBe(200)
  })

  it('count a handler until it ends, although its client has disconnected', async () => {
    const complete = stage.hold()
    for (let i = 0; i < MAX_OPEN; i++) {
      const socket = await stage.begin('Content-Length: 1', 'x')
      await vi.waitUntil(() => stage.received.length === i + 1)
      socket.destroy()
      await vi.waitUntil(() => stage.received[i]?.request.raw.destroyed)
    }
    expect((await stage.send(SMALL)).status).toBe(503)
    complete()
    await vi.waitUntil(async () => (await stage.send(SMALL)).status === 200)
  })

  it('do not count bodies that are being received', async () => {
    const slow = Array.from({ length: 3 * MAX_OPEN }, () => stage.begin('Content-Length: 9', 'x'))
    const sockets = await Promise.all(slow)
    expect((await stage.send(SMALL)).status).toBe(200)
    for (const socket of sockets) socket.destroy()
  })

  it('reject a body beyond the memory of its key, until the handlers of earlier ones end', async () => {
    const complete = stage.hold()
    const put = (shelf: string, body = Buffer.alloc(3_900_000)) =>
      stage.send(body, {
        method: 'PUT',
        path: `/api/shelves/large/${shelf}/${KEY}`,
        headers: lengthOf(body),
      })
    const waiting = [put('a'), put('a')]
    await vi.waitUntil(() => stage.received.length === 2)
    expect((await put('a')).status).toBe(503)
    waiting.push(put('b'), put('a', Buffer.alloc(1_000)))
    await vi.waitUntil(() => stage.received.length === 4)
    complete()
    const answers = await Promise.all(waiting)
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect((await put('a')).status).toBe(200)
  })
})

describe('the load shedder', () => {
  const LIMITS = {
    maxInFlight: 1,
    maxInFlightPerCaller: 1,
    aloneAfter: 60_000,
    inFlightPeriod: 60_000,
    maxOpen: 10_000,
    maxOpenRaw: 10,
    maxQueued: 0,
    maxQueueTime: 60_000,
    maxEventLoopUtilization: 0,
    maxEventLoopUtilizationStalled: 0,
    stallThreshold: 0,
    sampleInterval: 5,
    minBurst: 4,
    maxRejectTime: 5,
  }

  it('admits raw bodies while it rejects other requests, up to their own limit', async () => {
    const stage = await startShelves(LIMITS)
    const complete = stage.hold()
    const get = () => stage.send(undefined, { path: '/api/shelves/books/1', method: 'GET' })
    const first = get()
    await vi.waitUntil(async () => (await get()).status === 503)
    const raw = (i: number) =>
      stage.send(SMALL, { path: `/api/shelves/${'abcd'.charAt(i % 4)}/${KEY}` })
    const open = Array.from({ length: LIMITS.maxOpenRaw - 1 }, (_, i) => raw(i))
    await vi.waitUntil(() => stage.received.length === open.length)
    expect((await get()).status).toBe(503)
    const shed = await raw(open.length)
    expect(shed.status).toBe(503)
    expect(JSON.parse(shed.text)).toMatchObject({ instance: TEMPLATE })
    const unmatched = await stage.send(undefined, { path: `/api/shelves/a/${KEY}/more` })
    expect(unmatched.status).toBe(503)
    expect(JSON.parse(unmatched.text)).toMatchObject({ instance: TEMPLATE })
    complete()
    const answers = await Promise.all([first, ...open])
    expect(answers.map(({ status }) => status)).toEqual(Array(LIMITS.maxOpenRaw).fill(200))
    await stage.close()
  })
})

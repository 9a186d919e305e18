import { EventEmitter } from 'node:events'
import type { FastifyReply } from 'fastify'
import { expect, it, vi } from 'vitest'
import type { InvalidRequests as Requests } from './invalid-requests.js'
import { HTTP_PROBLEMS, Problem } from './problem.js'
import type { Request } from './request.js'

const INVALID = new Problem(HTTP_PROBLEMS.validation, '')
const ONE = { ip: '192.0.2.1' }
const LIMIT = { MODE: 'live', INVALID_REQUESTS_PER_MINUTE: 3 } as const

// lru-cache reads the clock that it finds when it is imported, and takes a time of 0 for none.
vi.useFakeTimers()
vi.advanceTimersByTime(1)
const { InvalidRequests } = await import('./invalid-requests.js')

const reject = (requests: Requests, count: number, request = ONE, problem = INVALID) =>
  Array.from({ length: count }, () => requests.rejectionOf(request, problem)?.kind.type)

const REJECTED = 'too-many-invalid-requests'

it('rejects the requests beyond the limit until a minute after the first one', () => {
  const requests = new InvalidRequests(LIMIT)
  expect(reject(requests, 2)).toEqual([undefined, undefined])
  vi.advanceTimersByTime(40_000)
  expect(reject(requests, 3)).toEqual([undefined, REJECTED, REJECTED])
  expect(requests.rejectionOf(ONE, INVALID)?.extras.retryAfterSeconds).toBe(20)
  vi.advanceTimersByTime(21_000)
  expect(reject(requests, 4)).toEqual([undefined, undefined, undefined, REJECTED])
})

it('counts each network: an IPv4 address, or an IPv6 /64, /56 and /48', () => {
  const requests = new InvalidRequests(LIMIT)
  expect(reject(requests, 4).at(-1)).toBe(REJECTED)
  expect(reject(requests, 1, { ip: '192.0.2.2' })).toEqual([undefined])
  const hosts = Array.from({ length: 4 }, (_, n) => ({ ip: `2001:db8::${n}` }))
  expect(hosts.map((host) => reject(requests, 1, host)[0]).at(-1)).toBe(REJECTED)
  // A /56 may send twice as many as a /64, so two of its networks use up its limit.
  expect(reject(requests, 3, { ip: '2001:db8:0:1::1' }).at(-1)).toBeUndefined()
  expect(reject(requests, 1, { ip: '2001:db8:0:2::1' })).toEqual([REJECTED])
  expect(reject(requests, 1, { ip: '2001:db8:0:100::1' })).toEqual([undefined])
})

it.each([
  'malformed',
  'validation',
  'tooLarge',
  'uriTooLong',
  'mediaType',
  'contentEncoding',
] as const)('counts the problem %s', (kind) => {
  const problem = new Problem(HTTP_PROBLEMS[kind], '')
  expect(reject(new InvalidRequests(LIMIT), 4, ONE, problem).at(-1)).toBe(REJECTED)
})

it.each(['notFound', 'internal', 'unavailable'] as const)(
  'does not count the problem %s',
  (kind) => {
    const problem = new Problem(HTTP_PROBLEMS[kind], '')
    expect(reject(new InvalidRequests(LIMIT), 10, ONE, problem).at(-1)).toBeUndefined()
  },
)

it.each([
  ['live', 100],
  ['sandbox', 10_000],
] as const)('allows by default in %s %d a minute', (MODE, limit) => {
  const requests = new InvalidRequests({ MODE, INVALID_REQUESTS_PER_MINUTE: undefined })
  const rejected = reject(requests, limit + 1)
  expect(rejected.indexOf(REJECTED)).toBe(limit)
})

function open() {
  const raw = new EventEmitter()
  const headers: Record<string, string> = {}
  const header = (name: string, value: string) => (headers[name] = value)
  const request = { body: {}, rawBody: Buffer.alloc(1) } as unknown as Request
  return { request, reply: { raw, header } as unknown as FastifyReply, raw, headers }
}

it('delays a rejection for 100 to 200 ms, and drops the body', () => {
  const requests = new InvalidRequests(LIMIT)
  const { request, reply, headers } = open()
  const respond = vi.fn()
  requests.delay(request, reply, respond)
  expect([request.body, request.rawBody]).toEqual([undefined, undefined])
  vi.advanceTimersByTime(99)
  expect(respond).not.toHaveBeenCalled()
  vi.advanceTimersByTime(101)
  expect(respond).toHaveBeenCalledOnce()
  expect(headers).toEqual({})
})

it('does not respond to a client that has disconnected', () => {
  const requests = new InvalidRequests(LIMIT)
  const { request, reply, raw } = open()
  const respond = vi.fn()
  requests.delay(request, reply, respond)
  raw.emit('close')
  vi.advanceTimersByTime(1_000)
  expect(respond).not.toHaveBeenCalled()
})

it('closes the connection of the 257th delayed rejection instead', () => {
  const requests = new InvalidRequests(LIMIT)
  const delayed = Array.from({ length: 256 }, open)
  for (const { request, reply } of delayed) requests.delay(request, reply, () => undefined)
  const next = open()
  const respond = vi.fn()
  requests.delay(next.request, next.reply, respond)
  expect(respond).toHaveBeenCalledOnce()
  expect(next.headers).toEqual({ connection: 'close' })
  delayed[0]?.raw.emit('close')
  const last = open()
  requests.delay(last.request, last.reply, respond)
  expect(respond).toHaveBeenCalledOnce()
})

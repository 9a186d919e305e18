import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { Counter, type Registry } from 'prom-client'
import { overloaded, pathOf, PROBLEM_JSON, problemDocument } from './problem.js'
import { isApi } from './request.js'
import { REQUEST_ID, requestId, SECURITY_HEADERS } from './headers.js'

/**
 * Rejects API requests that can't be answered in time, before any work is done for them:
 *
 * - Burst: many requests arrive within one event-loop tick. The tick admits requests for `maxTickMs`, and
 *   further ones only while fewer than `maxInFlight` are in flight.
 * - Overload: the event loop is never idle, unlike during an outage of the database. Only as many requests
 *   may be in flight as the process completes within `targetLatencyMs` (Little's law).
 */

const LIMITS = {
  /** How long an event-loop tick admits all requests of a burst. */
  maxTickMs: 10,
  /** With fewer in flight, even a long tick admits requests: other processes may have slowed it down. */
  maxInFlight: 200,
  /** An event loop that has not been idle for this long counts as overloaded. */
  saturatedAfterMs: 500,
  /** Under overload, as many requests may be in flight as the process completes in this time. */
  targetLatencyMs: 50,
  /** Requests are always admitted while fewer than this many are in flight. */
  minInFlight: 64,
  /** How long a tick may spend on writing rejections. */
  maxRejectMs: 5,
}

/** Puts the load shedder in front of the server's request listener. Only API requests can be rejected. */
export function shedOverload(server: Server, registry: Registry, limits = LIMITS) {
  const rejected = new Counter({
    name: 'http_requests_shed_total',
    help: 'Requests rejected with 503 by the load shedder',
    registers: [registry],
  })
  const [serve] = server.listeners('request') as RequestListener[]
  if (!serve) throw new Error('the server has no request listener yet')
  const shedder = new LoadShedder(limits)
  const rejections = new RejectionQueue(limits.maxRejectMs)
  server.removeListener('request', serve)
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!isApi(request)) return serve(request, response)
    if (shedder.admits()) {
      shedder.start()
      response.once('close', () => shedder.complete())
      return serve(request, response)
    }
    rejected.inc()
    rejections.add(request, response)
  })
}

class LoadShedder {
  private inFlight = 0
  private tickStartedAt: number | undefined
  private lastIdleAt = performance.now()
  private totalIdleMs = 0
  private rateMeasuredAt = performance.now()
  private completed = 0
  private completedPerMs = 0

  constructor(private readonly limits: typeof LIMITS) {}

  admits(): boolean {
    const { minInFlight, maxInFlight, maxTickMs, saturatedAfterMs, targetLatencyMs } = this.limits
    const now = performance.now()
    this.tickStartedAt ??= this.startTick(now)
    if (this.inFlight < minInFlight) return true
    const isSaturated = now - this.lastIdleAt > saturatedAfterMs
    if (isSaturated && this.inFlight > targetLatencyMs * this.completedPerMs) return false
    return this.inFlight < maxInFlight || now - this.tickStartedAt < maxTickMs
  }

  start() {
    this.inFlight++
  }

  complete() {
    this.inFlight--
    this.completed++
  }

  private startTick(now: number): number {
    // Immediates run after the poll phase, in which all requests of this tick arrive.
    setImmediate(() => (this.tickStartedAt = undefined))
    const { idle } = performance.eventLoopUtilization()
    // Idle time of up to 1 ms is only a gap between two requests of a burst.
    if (idle - this.totalIdleMs > 1) this.lastIdleAt = now
    this.totalIdleMs = idle
    if (now - this.rateMeasuredAt > 250) {
      this.completedPerMs = this.completed / (now - this.rateMeasuredAt)
      this.rateMeasuredAt = now
      this.completed = 0
    }
    return now
  }
}

/** Spends at most `maxTickMs` per tick on rejections: a thousand at once would delay other responses. */
class RejectionQueue {
  private queue: (readonly [IncomingMessage, ServerResponse])[] = []

  constructor(private readonly maxTickMs: number) {}

  add(request: IncomingMessage, response: ServerResponse) {
    // Immediates run after the poll phase, in which all requests of this tick arrive.
    if (this.queue.push([request, response]) === 1) setImmediate(() => this.flush())
  }

  private flush() {
    const startedAt = performance.now()
    let count = 0
    for (const each of this.queue) {
      reject(...each)
      count++
      if (performance.now() - startedAt > this.maxTickMs) break
    }
    this.queue = this.queue.slice(count)
    if (this.queue.length > 0) setImmediate(() => this.flush())
  }
}

const OVERLOADED = overloaded()
const REJECTION_HEADERS = Object.entries({
  ...SECURITY_HEADERS,
  'cache-control': 'no-store',
  'content-type': PROBLEM_JSON,
  'retry-after': String(OVERLOADED.extras.retryAfterSeconds),
}).flat()

function reject(request: IncomingMessage, response: ServerResponse) {
  const id = requestId(request.headers)
  const body = problemDocument(OVERLOADED, pathOf(request), id)
  const own = ['content-length', String(Buffer.byteLength(body)), REQUEST_ID, id]
  // Node writes an array of headers as it is, but copies an object first.
  response.writeHead(OVERLOADED.kind.status, [...REJECTION_HEADERS, ...own])
  response.end(body)
}

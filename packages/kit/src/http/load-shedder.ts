import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { Counter, type Registry } from 'prom-client'
import { overloaded, pathOf, PROBLEM_JSON, problemDocument } from './problem.js'
import { REQUEST_ID, requestId } from './request-id.js'

/**
 * The door: what arrives beyond what can be answered in time is refused here, before anything is done for it.
 * Otherwise everyone would wait in the sockets' buffers, where nobody sees how long.
 *
 * A burst shows by its turn: a turn of the event loop takes in all that has arrived since the last one. It begins
 * work for a while, and refuses the rest. Overload shows by a loop that finds no rest: then no more are let in
 * than leave within a short time (Little's law). An outage of the database is neither: the loop is idle then, and
 * requests wait for it.
 */

export interface LoadShedderLimits {
  /** For how long a turn of the event loop takes in requests, ms. */
  readonly maxTickMs: number
  /** So many may be inside whatever the clock says: a turn is also long when others take the core. */
  readonly maxInFlight: number
  /** A loop that has found no rest for so long is overloaded, ms. */
  readonly saturatedAfterMs: number
  /** As many as leave within this time may be inside then, ms. */
  readonly targetLatencyMs: number
  /** So many may be inside even then. */
  readonly minInFlight: number
  /** For how long a turn tells those who are refused, ms. */
  readonly maxRejectMs: number
}

const LIMITS: LoadShedderLimits = {
  maxTickMs: 10,
  maxInFlight: 200,
  saturatedAfterMs: 500,
  targetLatencyMs: 50,
  minInFlight: 64,
  maxRejectMs: 5,
}
/** How often it is counted how many leave. */
const COUNT_EVERY_MS = 250
/** A loop that waits for less only waits for the next of a crowd. */
const REST_MS = 1

/** What every answer is headed with, but for its request's id. */
export const SECURITY_HEADERS = {
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
} as const

/** Puts the door before whatever answers the server's requests; probes and metrics always pass. */
export function shedOverload(server: Server, registry: Registry, limits = LIMITS) {
  const refused = new Counter({
    name: 'http_requests_shed_total',
    help: 'Requests refused at the door with 503, since more arrived than could be answered in time',
    registers: [registry],
  })
  const [answer] = server.listeners('request') as RequestListener[]
  if (!answer) throw new Error('nobody answers requests yet')
  const door = new LoadShedder(limits)
  const refusals = new RejectionQueue(limits.maxRejectMs)
  server.removeListener('request', answer)
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url?.startsWith('/api/')) return answer(request, response)
    if (door.isOpen()) {
      door.enter()
      response.once('close', () => door.leave())
      return answer(request, response)
    }
    refused.inc()
    refusals.add(request, response)
  })
}

class LoadShedder {
  private inside = 0
  private turnBegan: number | undefined
  private restedAt = performance.now()
  private idleMs = 0
  private countedAt = performance.now()
  private left = 0
  private leavePerMs = 0

  constructor(private readonly limits: LoadShedderLimits) {}

  isOpen(): boolean {
    const { minInFlight, maxInFlight, maxTickMs, saturatedAfterMs, targetLatencyMs } = this.limits
    const now = performance.now()
    this.turnBegan ??= this.begin(now)
    if (this.inside < minInFlight) return true
    if (now - this.restedAt > saturatedAfterMs && this.inside > targetLatencyMs * this.leavePerMs)
      return false
    return this.inside < maxInFlight || now - this.turnBegan < maxTickMs
  }

  enter() {
    this.inside++
  }

  leave() {
    this.inside--
    this.left++
  }

  /** Begins a turn of the loop. */
  private begin(now: number): number {
    // Immediates run after all that this turn's poll has brought.
    setImmediate(() => (this.turnBegan = undefined))
    const { idle } = performance.eventLoopUtilization()
    if (idle - this.idleMs > REST_MS) this.restedAt = now
    this.idleMs = idle
    if (now - this.countedAt > COUNT_EVERY_MS) {
      this.leavePerMs = this.left / (now - this.countedAt)
      this.countedAt = now
      this.left = 0
    }
    return now
  }
}

/**
 * Those who are refused and not told yet. A turn of the event loop tells some, and then goes on to who was let
 * in: told all at once, a thousand of them would hold up the answers of the database.
 */
class RejectionQueue {
  private waiting: (readonly [IncomingMessage, ServerResponse])[] = []

  constructor(private readonly mostMs: number) {}

  add(request: IncomingMessage, response: ServerResponse) {
    // Immediates run after all that this turn's poll has brought.
    if (this.waiting.push([request, response]) === 1) setImmediate(() => this.tell())
  }

  private tell() {
    const begun = performance.now()
    let told = 0
    for (const each of this.waiting) {
      refuse(...each)
      told++
      if (performance.now() - begun > this.mostMs) break
    }
    this.waiting = this.waiting.slice(told)
    if (this.waiting.length > 0) setImmediate(() => this.tell())
  }
}

const REFUSAL = overloaded()
const REFUSED_HEADERS = Object.entries({
  ...SECURITY_HEADERS,
  'cache-control': 'no-store',
  'content-type': PROBLEM_JSON,
  'retry-after': String(REFUSAL.extras.retryAfterSeconds),
}).flat()

function refuse(request: IncomingMessage, response: ServerResponse) {
  const id = requestId(request.headers)
  const body = JSON.stringify(problemDocument(REFUSAL, pathOf(request), id))
  const own = ['content-length', String(Buffer.byteLength(body)), REQUEST_ID, id]
  // A list is written as it is, where an object is gone through twice.
  response.writeHead(REFUSAL.kind.status, [...REFUSED_HEADERS, ...own])
  response.end(body)
}

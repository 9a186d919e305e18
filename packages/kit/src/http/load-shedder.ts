import type { FastifyInstance, FastifyReply } from 'fastify'
import { Counter, type Registry } from 'prom-client'
import { observableGauge } from '../telemetry/metrics.js'
import { ANONYMOUS, callerOf } from './caller.js'
import { FairQueue, type Flow } from './fair-queue.js'
import { InFlight } from './in-flight.js'
import { siteOf } from './network.js'
import { hasRawBody } from './raw-body.js'
import { RejectionQueue } from './rejection-queue.js'
import { isApi, type Request } from './request.js'

/**
 * Names are those of @fastify/under-pressure where it has them. The library itself rejects the requests of all
 * callers alike, and only by a sample of the past, so it gives no caller a share.
 */
const LIMITS = {
  /** Two batches of a statement at usual sizes: more requests in flight add latency, not throughput. */
  maxInFlight: 48,
  /** Bounds the latency that one token adds to the requests of others. A lone caller has no such limit. */
  maxInFlightPerCaller: 4,
  /** A caller counts as alone when no other one has sent a request for this long, ms. */
  aloneAfter: 10_000,
  /** How long a request counts as in flight: one to two of these periods, ms. */
  inFlightPeriod: 50,
  /** Open requests, for however long, for example during a failover; a request that is held is not open. */
  maxOpen: 10_000,
  /** The same for a request with a raw body, which is shed last: its sender may not repeat it. */
  maxOpenRaw: 12_000,
  maxQueued: 200,
  /** How long a request may be queued, ms. */
  maxQueueTime: 3_000,
  /** While requests are queued and the event loop is less busy than this, more are admitted. */
  maxEventLoopUtilization: 0.3,
  /** The same while the open requests are stalled. */
  maxEventLoopUtilizationStalled: 0.8,
  /** The open requests are stalled if they take longer than this on average, ms. */
  stallThreshold: 100,
  /** How often the event loop is sampled while requests are queued, ms. */
  sampleInterval: 5,
  /** Requests admitted by the first idle sample; each further one admits twice as many. */
  minBurst: 2,
  /** How long a tick may spend on writing rejections, ms. */
  maxRejectTime: 5,
}

interface QueuedRequest extends Flow {
  readonly reply: FastifyReply
  readonly enqueuedAt: number
  /** Continues the request. */
  readonly next: () => void
}

/**
 * Admits API requests before any work is done for them, and is the only place that sheds load.
 *
 * - While few requests are in flight, in total and of its caller, a request is admitted at once.
 * - Further requests queue. Networks are served in turn, and callers in turn within a network.
 * - While the event loop is idle, more are admitted: the requests in flight wait for something else, such as a
 *   commit or a database that fails over. An exception is a database that `isBehind`.
 * - A request with a raw body does not queue: it is admitted even while others are rejected.
 * - A full queue rejects the newest request of the longest flow with 503. A request whose client has
 *   disconnected leaves the queue.
 */
export function shedOverload(
  fastify: FastifyInstance,
  registry: Registry,
  isBehind: () => boolean,
  limits = LIMITS,
) {
  const shed = new Counter({
    name: 'http_requests_shed_total',
    help: 'Requests rejected with 503 by the load shedder',
    registers: [registry],
  })
  const rejections = new RejectionQueue(limits.maxRejectTime)
  const shedder = new LoadShedder(limits, isBehind, (reply) => {
    shed.inc()
    reply.request.isShed = true
    rejections.add(reply)
  })
  const help = `Requests queued by the load shedder; at most ${limits.maxQueued}`
  observableGauge(registry, { name: 'http_requests_queued', help }, (gauge) =>
    gauge.set(shedder.queued),
  )
  fastify.addHook('onRequest', (request, reply, done) => {
    if (isApi(request)) shedder.admit(request, reply, done)
    else done()
  })
}

class LoadShedder {
  private readonly queue: FairQueue<QueuedRequest>
  private readonly inFlight: InFlight
  private lastCaller = ''
  private lastCallerChangedAt = -Infinity
  private timer: NodeJS.Timeout | undefined
  private lastUtilization = performance.eventLoopUtilization()
  private burst = 0
  /** Requests that may be admitted above the limits in flight until the next sample. */
  private extra = 0

  constructor(
    private readonly limits: typeof LIMITS,
    private readonly isBehind: () => boolean,
    private readonly shed: (reply: FastifyReply) => void,
  ) {
    this.queue = new FairQueue(limits.maxQueued)
    this.inFlight = new InFlight(limits.inFlightPeriod)
  }

  get queued(): number {
    return this.queue.size
  }

  admit(request: Request, reply: FastifyReply, next: () => void) {
    const now = performance.now()
    this.inFlight.expire(now)
    if (hasRawBody(request)) return this.admitRaw(reply, next)
    const caller = callerOf(request)
    if (caller !== this.lastCaller) {
      this.lastCaller = caller
      this.lastCallerChangedAt = now
    }
    // Requests that are queued at this point are of callers with no room.
    if (this.hasRoom() && this.hasRoomFor(caller, now)) return this.start(caller, reply, next)
    this.enqueue({ network: siteOf(request.ip), caller, reply, enqueuedAt: now, next })
  }

  private admitRaw(reply: FastifyReply, next: () => void) {
    if (this.inFlight.open < this.limits.maxOpenRaw) this.start(ANONYMOUS, reply, next)
    else this.shed(reply)
  }

  private hasRoom(): boolean {
    const { maxInFlight, maxOpen } = this.limits
    return this.inFlight.total < maxInFlight && this.inFlight.open < maxOpen
  }

  private hasRoomFor(caller: string, now: number): boolean {
    const { maxInFlightPerCaller, aloneAfter } = this.limits
    if (caller === ANONYMOUS || now - this.lastCallerChangedAt > aloneAfter) return true
    return this.inFlight.of(caller) < maxInFlightPerCaller
  }

  private start(caller: string, { raw, request }: FastifyReply, next: () => void) {
    const admission = this.inFlight.enter(caller)
    request.admission = admission
    raw.once('close', () => {
      admission.complete()
      if (this.queue.size > 0) this.dispatch()
    })
    next()
  }

  private enqueue(request: QueuedRequest) {
    const dropped = this.queue.add(request)
    if (dropped) this.shed(dropped.reply)
    if (dropped === request) return
    request.reply.raw.once('close', () => this.queue.remove(request))
    this.timer ??= this.startSampling()
  }

  private dispatch() {
    for (let request = this.takeNext(); request; request = this.takeNext()) {
      this.start(request.caller, request.reply, request.next)
    }
  }

  private takeNext(): QueuedRequest | undefined {
    const now = performance.now()
    const hasRoomFor = ({ caller }: Flow) => this.hasRoomFor(caller, now)
    const request = this.hasRoom() && this.queue.take(hasRoomFor)
    if (request) return request
    if (this.extra === 0 || this.inFlight.open >= this.limits.maxOpen) return undefined
    this.extra--
    return this.queue.take(() => true)
  }

  private startSampling(): NodeJS.Timeout {
    this.lastUtilization = performance.eventLoopUtilization()
    this.burst = this.extra = 0
    return setInterval(() => this.sample(), this.limits.sampleInterval).unref()
  }

  private sample() {
    const { maxQueueTime, minBurst } = this.limits
    const now = performance.now()
    this.inFlight.expire(now)
    this.burst = this.isIdle(now) ? Math.max(minBurst, 2 * this.burst) : 0
    this.extra = this.burst
    this.dispatch()
    for (const late of this.queue.removeIf(({ enqueuedAt }) => now - enqueuedAt > maxQueueTime)) {
      this.shed(late.reply)
    }
    if (this.queue.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }

  private isIdle(now: number): boolean {
    const { maxEventLoopUtilization, maxEventLoopUtilizationStalled, stallThreshold } = this.limits
    const current = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(current, this.lastUtilization)
    this.lastUtilization = current
    if (this.isBehind()) return false
    // Little's law: the open requests take `open / completedPerMs` on average.
    const isStalled = this.inFlight.open > stallThreshold * this.inFlight.completedPerMs(now)
    return utilization < (isStalled ? maxEventLoopUtilizationStalled : maxEventLoopUtilization)
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { BeforeApplicationShutdown } from '@nestjs/common'
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../telemetry/logger.js'

/**
 * How a process leaves. Told to end, it says so by its readiness and goes on serving until no request has come
 * for a while: a proxy learns late that it is to send no more, the later the busier the cluster is, and whoever is
 * sent to a closed door gets 502. Clients are told to go on over another connection; for those who don't listen
 * the door closes all the same, after a multiple of that while.
 */
export class Drain implements BeforeApplicationShutdown {
  private begunAt = 0
  private servedAt = 0

  /** @param quietMs how long no client's request has been served, ms */
  constructor(
    private readonly quietMs: number,
    private readonly log: Logger,
  ) {}

  /** Whether the process was told to end. */
  get isShuttingDown(): boolean {
    return this.begunAt > 0
  }

  begin() {
    if (this.isShuttingDown) return
    this.begunAt = this.servedAt = performance.now()
  }

  /** Sees each answer, also to what came before the end was asked for. */
  watch(fastify: FastifyInstance) {
    fastify.addHook('onSend', (request, reply, _payload, done) => {
      if (this.isShuttingDown) {
        reply.header('connection', 'close')
        // Probes and metrics come until the end.
        if (request.url.startsWith('/api/')) this.servedAt = performance.now()
      }
      done()
    })
  }

  async beforeApplicationShutdown() {
    this.begin()
    for (let leftMs = this.leftMs(); leftMs > 0; leftMs = this.leftMs()) await sleep(leftMs)
    if (performance.now() < this.servedAt + this.quietMs) {
      this.log.warn('requests still come: leaving all the same')
    }
  }

  private leftMs(): number {
    const latest = this.begunAt + maxDrainMs(this.quietMs)
    return Math.min(this.servedAt + this.quietMs, latest) - performance.now()
  }
}

/** How long a drain may take, ms; the grace period of the charts goes by it. */
export function maxDrainMs(quietMs: number): number {
  return 4 * quietMs
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { BeforeApplicationShutdown, INestApplication } from '@nestjs/common'
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../telemetry/logger.js'
import { isApi } from './request.js'

const SIGNALS = ['SIGTERM', 'SIGINT']

/** Shuts the app down on a signal. After `limitMs` it exits with 1, before the pod's grace period ends. */
export function shutDownOnSignal(app: INestApplication, limitMs: number, log: Logger) {
  app.enableShutdownHooks(SIGNALS, { useProcessExit: true })
  const drain = app.get(Drain)
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      // The drain begins before Nest stops background work, so that readiness fails immediately.
      drain.begin()
      setTimeout(() => {
        log.error(`shutdown took longer than ${limitMs} ms: exiting`)
        process.exit(1)
      }, limitMs).unref()
    })
  }
}

/**
 * Keeps the service running after SIGTERM until it has sent no API response for `quietMs`. Proxies learn late
 * that a pod is terminating, the later the more loaded the cluster is: if the listener were closed by then,
 * clients would get 502. The drain ends after `maxDrainMs` even if a client keeps sending requests.
 */
export class Drain implements BeforeApplicationShutdown {
  private startedAt = 0
  private servedAt = 0

  constructor(
    private readonly quietMs: number,
    private readonly log: Logger,
  ) {}

  get isShuttingDown(): boolean {
    return this.startedAt > 0
  }

  begin() {
    if (this.isShuttingDown) return
    this.startedAt = this.servedAt = performance.now()
  }

  /** Observes every response, including those to requests received before the drain began. */
  watch(fastify: FastifyInstance) {
    fastify.addHook('onSend', (request, reply, _payload, done) => {
      if (this.isShuttingDown) {
        reply.header('connection', 'close')
        // Probes and scrapes never stop, so they do not extend the drain.
        if (isApi(request)) this.servedAt = performance.now()
      }
      done()
    })
  }

  async beforeApplicationShutdown() {
    this.begin()
    for (let leftMs = this.leftMs(); leftMs > 0; leftMs = this.leftMs()) await sleep(leftMs)
    if (performance.now() < this.servedAt + this.quietMs) {
      this.log.warn('requests still arrive at the limit of the drain: shutting down')
    }
  }

  private leftMs(): number {
    const latest = this.startedAt + maxDrainMs(this.quietMs)
    return Math.min(this.servedAt + this.quietMs, latest) - performance.now()
  }
}

/** The maximum duration of a drain, ms. The charts derive the pod's grace period from this value. */
export function maxDrainMs(quietMs: number): number {
  return 4 * quietMs
}

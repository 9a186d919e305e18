import { setTimeout as sleep } from 'node:timers/promises'
import type { BeforeApplicationShutdown, INestApplication } from '@nestjs/common'
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../telemetry/logger.js'
import { isApi } from './request.js'

const SIGNALS = ['SIGTERM', 'SIGINT']

/** Shuts the app down on a signal, or exits with 1 after `limitMs`, before the pod's grace period ends. */
export function shutDownOnSignal(app: INestApplication, limitMs: number, log: Logger) {
  app.enableShutdownHooks(SIGNALS, { useProcessExit: true })
  const drain = app.get(Drain)
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      // Runs before Nest stops the modules' background work, so that readiness fails immediately.
      drain.begin()
      setTimeout(() => {
        log.error(`shutdown took longer than ${limitMs} ms: exiting`)
        process.exit(1)
      }, limitMs).unref()
    })
  }
}

/**
 * Keeps serving after SIGTERM until no API request has arrived for `quietMs`. Proxies learn with a delay,
 * which grows with the cluster's load, that a pod is terminating: had the listener closed, their clients
 * would get 502. The drain ends after `maxDrainMs` even if a client keeps sending.
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

  /** Observes every response, including those to requests that arrived before the drain began. */
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

/** The maximum duration of a drain, ms. The charts derive the grace period from it. */
export function maxDrainMs(quietMs: number): number {
  return 4 * quietMs
}

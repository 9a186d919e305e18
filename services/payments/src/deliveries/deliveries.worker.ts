import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { freshFor } from '@malipo/kit/worker/fresh-for'
import type { Worker } from '@malipo/kit/worker/worker'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import { Workers } from '@malipo/kit/worker/workers'
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnModuleDestroy,
} from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import { PaymentChanges } from '../notifications/payment-changes.js'
import { DeliveryClaims } from './delivery-claims.js'
import { DeliveryRunner, type DeliveryTry } from './delivery-runner.js'
import { LEASE_SECONDS } from './limits.js'
import { Pace } from './pace.js'
import { RunningTries } from './running-tries.js'

/** Finds what other replicas have committed. */
const INTERVAL_MS = 250
/**
 * A claim of one delivery costs nearly the same as a claim of forty, and deliveries that are claimed together are read and
 * recorded by the same statements. So a backlog is claimed in larger batches than new changes.
 */
const AFTER_CHANGE_MS = 5
const AFTER_TRY_MS = 20
/** How long tries under way may continue at shutdown. Then they are aborted, and repeated by another replica. */
const SHUTDOWN_WAIT_MS = 5_000
const MAX_REMEMBERED_OWNERS = 10_000

/**
 * Delivers the notifications that are due. All replicas share the work by claims with leases. A change that this
 * replica commits wakes the worker, if its merchant has had deliveries; the interval finds all others.
 */
@Injectable()
export class DeliveriesWorker implements OnModuleDestroy, BeforeApplicationShutdown {
  private readonly worker: Worker
  private readonly running = new RunningTries()
  /** Endpoints at their limit, of which more may be due. */
  private readonly saturated = new Set<string>()
  /** Whether the last claim took all that may begin: more may be due of any endpoint. */
  private isFull = false
  private claimTimer: NodeJS.Timeout | undefined
  /** When the timer ends. */
  private claimAt = Infinity
  private readonly owners = new LRUCache<string, true>({ max: MAX_REMEMBERED_OWNERS })
  private readonly stopping = new AbortController()
  private isStopping = false

  constructor(
    @Inject(DeliveryClaims) private readonly claims: DeliveryClaims,
    @Inject(DeliveryRunner) private readonly runner: DeliveryRunner,
    @Inject(Pace) private readonly pace: Pace,
    @Inject(Workers) workers: Workers,
    @Inject(PaymentChanges) changes: PaymentChanges,
  ) {
    this.worker = workers.add({
      name: 'deliveries',
      role: 'worker',
      intervalMs: INTERVAL_MS,
      run: () => this.run(),
    })
    changes.onChange(({ ownerId }) => {
      if (this.owners.has(ownerId)) this.claimWithin(AFTER_CHANGE_MS)
    })
  }

  onModuleDestroy() {
    this.isStopping = true
    clearTimeout(this.claimTimer)
  }

  async beforeApplicationShutdown() {
    const ended = this.running.allEnded()
    await withTimeout(ended, SHUTDOWN_WAIT_MS)
    this.stopping.abort()
    await ended
  }

  /** Delivers what is due at once. */
  wake(): void {
    this.worker.wake()
  }

  private async run(): Promise<void> {
    if (this.isStopping || this.running.free <= 0) return
    const free = Math.min(this.running.free, this.pace.available())
    if (free === 0) return this.claimWithin(this.pace.pauseMs())
    const leaseId = newUuid()
    const isFresh = freshFor((LEASE_SECONDS / 2) * 1_000)
    const claims = await this.claims.claim({
      free,
      freeSlow: this.running.freeSlow,
      leaseId,
      leaseSeconds: LEASE_SECONDS,
      busy: this.running.byEndpoint(),
    })
    this.pace.take(claims.length)
    this.isFull = claims.length === free
    const { signal } = this.stopping
    for (const claim of claims) this.begin({ ...claim, leaseId, isFresh, signal })
  }

  private begin(one: DeliveryTry) {
    const { endpointId, ownerId } = one.claimed
    this.owners.set(ownerId, true)
    const ended = this.runner.perform(one).finally(() => {
      if (!this.saturated.delete(endpointId) && !this.isFull) return
      this.claimWithin(Math.max(AFTER_TRY_MS, this.pace.pauseMs()))
    })
    this.running.add(one.claimed, ended)
    if (!this.running.hasRoomAt(endpointId)) this.saturated.add(endpointId)
  }

  private claimWithin(ms: number) {
    const at = performance.now() + ms
    if (this.claimAt <= at) return
    clearTimeout(this.claimTimer)
    this.claimAt = at
    const claim = () => {
      this.claimAt = Infinity
      this.worker.wake()
    }
    this.claimTimer = setTimeout(claim, ms).unref()
  }
}

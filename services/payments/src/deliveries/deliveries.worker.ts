import { Database } from '@malipo/kit/postgres/database'
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
import { SigningSecrets } from '../webhook-endpoints/signing-secrets.service.js'
import { claimDeliveries, type ClaimedDelivery } from './claim.store.js'
import { DeliveryRunner } from './delivery-runner.js'
import { LEASE_SECONDS, MAX_IN_FLIGHT, MAX_PER_ENDPOINT, MAX_SLOW, SLOW_MS } from './limits.js'

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

interface RunningTry {
  readonly claimed: ClaimedDelivery
  readonly startedAt: number
  readonly ended: Promise<void>
}

/**
 * Delivers the notifications that are due. All replicas share the work by claims with leases. A change that this
 * replica commits wakes the worker, if its merchant has had deliveries; the interval finds all others.
 */
@Injectable()
export class DeliveriesWorker implements OnModuleDestroy, BeforeApplicationShutdown {
  private readonly worker: Worker
  private readonly running = new Set<RunningTry>()
  /** Endpoints at their limit, of which more may be due. */
  private readonly saturated = new Set<string>()
  /** Whether the last claim took all free slots: more may be due of any endpoint. */
  private isFull = false
  private claimTimer: NodeJS.Timeout | undefined
  /** When the timer ends. */
  private claimAt = Infinity
  private readonly owners = new LRUCache<string, true>({ max: MAX_REMEMBERED_OWNERS })
  private readonly stopping = new AbortController()
  private isStopping = false

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(DeliveryRunner) private readonly runner: DeliveryRunner,
    @Inject(SigningSecrets) private readonly secrets: SigningSecrets,
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
    const ended = Promise.all([...this.running].map((one) => one.ended))
    await withTimeout(ended, SHUTDOWN_WAIT_MS)
    this.stopping.abort()
    await ended
  }

  /** Delivers what is due at once. */
  wake(): void {
    this.worker.wake()
  }

  private async run(): Promise<void> {
    const free = MAX_IN_FLIGHT - this.running.size
    if (this.isStopping || free <= 0) return
    const leaseId = newUuid()
    const isFresh = freshFor((LEASE_SECONDS / 2) * 1_000)
    const request = {
      free,
      freeSlow: Math.max(0, MAX_SLOW - this.slowTries()),
      leaseId,
      leaseSeconds: LEASE_SECONDS,
      busy: this.busyEndpoints(),
    }
    const claimed = await this.database.write((run, retried) =>
      claimDeliveries(run, request, retried),
    )
    this.isFull = claimed.length === free
    if (claimed.length === 0) return
    const ids = [...new Set(claimed.map(({ endpointId }) => endpointId))]
    const secrets = await this.database.read((run) => this.secrets.secretsOf(run, ids))
    for (const each of claimed) {
      this.begin({
        claimed: each,
        leaseId,
        isFresh,
        secrets: secrets.get(each.endpointId),
        signal: this.stopping.signal,
      })
    }
  }

  private begin(one: Parameters<DeliveryRunner['perform']>[0]) {
    const { endpointId, ownerId } = one.claimed
    this.owners.set(ownerId, true)
    const ended = this.runner.perform(one).finally(() => {
      this.running.delete(running)
      if (this.saturated.delete(endpointId) || this.isFull) this.claimWithin(AFTER_TRY_MS)
    })
    const running = { claimed: one.claimed, startedAt: performance.now(), ended }
    this.running.add(running)
    if (this.triesOf(endpointId) >= MAX_PER_ENDPOINT) this.saturated.add(endpointId)
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

  private triesOf(endpointId: string): number {
    let count = 0
    for (const { claimed } of this.running) if (claimed.endpointId === endpointId) count++
    return count
  }

  /** Tries at slow endpoints, and those that have been under way for as long. */
  private slowTries(): number {
    const now = performance.now()
    let count = 0
    for (const { claimed, startedAt } of this.running) {
      if (claimed.isSlow || now - startedAt > SLOW_MS) count++
    }
    return count
  }

  private busyEndpoints() {
    const byEndpoint = new Map<string, { endpointId: string; ownerId: string; tries: number }>()
    for (const { claimed } of this.running) {
      const { endpointId, ownerId } = claimed
      const busy = byEndpoint.get(endpointId)
      if (busy) busy.tries++
      else byEndpoint.set(endpointId, { endpointId, ownerId, tries: 1 })
    }
    return [...byEndpoint.values()]
  }
}

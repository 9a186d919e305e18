import { HTTP_PROBLEMS, Problem } from '@malipo/kit/http/problem'
import { Database } from '@malipo/kit/postgres/database'
import { countBy, observableGauge } from '@malipo/kit/telemetry/metrics'
import { Abandoned, assertNotCompleted, holdRequest } from '@malipo/kit/telemetry/request-context'
import { Workers } from '@malipo/kit/worker/workers'
import type { FactoryProvider, OnModuleDestroy } from '@nestjs/common'
import { Registry } from 'prom-client'
import type { Env } from '../env.js'
import { PaymentChanges } from '../notifications/payment-changes.js'
import { PROBLEMS } from '../problems.js'
import { Pacer } from './pacer.js'
import { newerVersions } from './waits.store.js'

const LIMITS = {
  /** Each costs 30 kB of memory, most of it for its connection. */
  maxWaiters: 1_000,
  maxWaitersPerCaller: 100,
  /** The versions of all payments that are waited for are read at most four times a second. */
  pollIntervalMs: 250,
  /** 1,000 requests that continue at once would delay every other response by half a second. */
  maxContinued: 20,
  continueIntervalMs: 10,
  retryAfterSeconds: 5,
}

/** The change that a request waits for: a later version than the one that it has read. */
interface AwaitedChange {
  readonly paymentId: string
  readonly version: number
  readonly callerId: string
  readonly timeoutMs: number
}

/** `over`: the time has passed, or the replica drains. */
export type WaitResult = 'changed' | 'over'

interface Waiter extends AwaitedChange {
  readonly timer: NodeJS.Timeout
  /** Ends the hold of the request. */
  readonly resume: () => void
  readonly resolve: (result: WaitResult) => void
  result: WaitResult
}

/**
 * The requests of this replica that wait for a change of a payment. A change by the same replica wakes them at
 * once. Changes by other replicas are found by one statement for all of them.
 */
export class PaymentWaits implements OnModuleDestroy {
  /** The waiters that have not been woken. */
  private readonly byPayment = new Map<string, Set<Waiter>>()
  private readonly countByCaller = new Map<string, number>()
  private readonly woken: Pacer<Waiter>
  private readonly rejected
  private count = 0
  private isDraining = false

  /** @param waitMs the time until the deadline of a request, from the end of its wait */
  constructor(
    private readonly waitMs: number,
    private readonly database: Pick<Database, 'read'>,
    workers: Workers,
    registry: Registry,
    changes: PaymentChanges,
  ) {
    changes.onChange(({ id, version }) => {
      if (version !== undefined) this.changed(id, version)
    })
    const { maxWaiters, pollIntervalMs, maxContinued, continueIntervalMs } = LIMITS
    this.woken = new Pacer((waiter) => this.continue(waiter), maxContinued, continueIntervalMs)
    const run = () => this.poll()
    workers.add({ name: 'payment_waits', intervalMs: pollIntervalMs, jitter: 0, run })
    const help = `Requests that wait for a change of a payment; at most ${maxWaiters}`
    observableGauge(registry, { name: 'payment_waiters', help }, (gauge) => gauge.set(this.count))
    const rejected = {
      name: 'payment_waits_rejected_total',
      help: 'Requests with `wait` that were rejected, by limit: caller (429), replica (503)',
      label: 'limit',
    }
    this.rejected = countBy(registry, rejected, ['caller', 'replica'])
  }

  /**
   * Holds the current request until the payment has a later version, or until the time has passed.
   *
   * @throws Problem 429 or 503 if too many requests wait; Abandoned if the client disconnects
   */
  async untilChanged(awaited: AwaitedChange): Promise<WaitResult> {
    if (this.isDraining) return 'over'
    // A client that disconnects during the read is not reported again, so its request would wait until the timeout.
    assertNotCompleted()
    this.assertRoomFor(awaited.callerId)
    const { promise, resolve, reject } = Promise.withResolvers<WaitResult>()
    const timer = setTimeout(() => this.wake(waiter, 'over'), awaited.timeoutMs)
    const resume = holdRequest(this.waitMs, () => {
      this.leave(waiter)
      reject(new Abandoned())
    })
    const waiter: Waiter = { ...awaited, timer, resume, resolve, result: 'over' }
    this.enter(waiter)
    return promise
  }

  /** Wakes the requests that have read an earlier version. */
  private changed(paymentId: string, version: number): void {
    for (const waiter of [...(this.byPayment.get(paymentId) ?? [])]) {
      if (waiter.version < version) this.wake(waiter, 'changed')
    }
  }

  /** Nest calls this when the replica begins to drain: the requests are answered, and do not delay its end. */
  onModuleDestroy() {
    this.isDraining = true
    const all = [...this.byPayment.values()].flatMap((waiters) => [...waiters])
    for (const waiter of all) this.wake(waiter, 'over')
  }

  /** During an outage of the database this fails, and the requests continue to wait. */
  private async poll(): Promise<void> {
    if (this.byPayment.size === 0) return
    const seen = Array.from(this.byPayment, ([id, waiters]) => ({
      id,
      version: Math.min(...Array.from(waiters, ({ version }) => version)),
    }))
    const changes = await this.database.read((run) => newerVersions(run, seen))
    for (const { id, version } of changes) this.changed(id, version)
  }

  private assertRoomFor(callerId: string) {
    const { maxWaiters, maxWaitersPerCaller, retryAfterSeconds } = LIMITS
    if ((this.countByCaller.get(callerId) ?? 0) >= maxWaitersPerCaller) {
      this.rejected.caller.inc()
      const detail = `${maxWaitersPerCaller} requests of yours wait already. Retry later, or read without \`wait\`.`
      throw new Problem(PROBLEMS.tooManyWaits, detail, { retryAfterSeconds })
    }
    if (this.count < maxWaiters) return
    this.rejected.replica.inc()
    const detail = 'Too many requests wait for changes. Retry later, or read without `wait`.'
    throw new Problem(HTTP_PROBLEMS.unavailable, detail, { retryAfterSeconds })
  }

  private enter(waiter: Waiter) {
    const { paymentId, callerId } = waiter
    const waiters = this.byPayment.get(paymentId)
    if (waiters) waiters.add(waiter)
    else this.byPayment.set(paymentId, new Set([waiter]))
    this.countByCaller.set(callerId, (this.countByCaller.get(callerId) ?? 0) + 1)
    this.count++
  }

  private wake(waiter: Waiter, result: WaitResult) {
    this.unlist(waiter)
    waiter.result = result
    this.woken.add(waiter)
  }

  private continue(waiter: Waiter) {
    this.leave(waiter)
    waiter.resolve(waiter.result)
  }

  private leave(waiter: Waiter) {
    const { callerId, resume } = waiter
    this.unlist(waiter)
    this.woken.remove(waiter)
    const others = (this.countByCaller.get(callerId) ?? 0) - 1
    if (others > 0) this.countByCaller.set(callerId, others)
    else this.countByCaller.delete(callerId)
    this.count--
    resume()
  }

  /** Whatever else happens, the waiter is not woken again. */
  private unlist(waiter: Waiter) {
    clearTimeout(waiter.timer)
    const waiters = this.byPayment.get(waiter.paymentId)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.byPayment.delete(waiter.paymentId)
  }
}

export function paymentWaits({ DB_WAIT_MS }: Pick<Env, 'DB_WAIT_MS'>): FactoryProvider {
  return {
    provide: PaymentWaits,
    inject: [Database, Workers, Registry, PaymentChanges],
    useFactory: (
      database: Database,
      workers: Workers,
      registry: Registry,
      changes: PaymentChanges,
    ) => new PaymentWaits(DB_WAIT_MS, database, workers, registry, changes),
  }
}

import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { freshFor } from '@malipo/kit/worker/fresh-for'
import type { RunResult, Worker } from '@malipo/kit/worker/worker'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import { Workers } from '@malipo/kit/worker/workers'
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnModuleDestroy,
} from '@nestjs/common'
import { bucketOf, type ProviderAccount } from '../providers/accounts.js'
import { NewAttempts } from '../providers/new-attempts.js'
import { type Call, CallRunner } from './call-runner.js'
import { type CallKind, claim } from './claim.store.js'
import { Clients, type ClientOf } from './clients.js'

/** The most rows of a claim, so that a replica that starts does not take all of a backlog. */
const MAX_CLAIM = 64
const BUSY_INTERVAL_MS = 250
/** How long a replica that stops waits for calls under way. Their results would otherwise need a query. */
const SHUTDOWN_WAIT_MS = 25_000

/**
 * Makes the calls to providers that are due: requests for money, and queries. All replicas share the work by claims
 * with leases. A call runs apart from the worker that claimed it, so that a slow provider delays no other.
 */
@Injectable()
export class AttemptCalls implements OnModuleDestroy, BeforeApplicationShutdown {
  private readonly workers: Readonly<Record<CallKind, Worker>>
  private readonly woken: Readonly<Record<CallKind, Set<string>>> = {
    send: new Set(),
    query: new Set(),
  }
  /** Accounts without a free slot, of which more may be due. */
  private readonly saturated: Readonly<Record<CallKind, Set<string>>> = {
    send: new Set(),
    query: new Set(),
  }
  private readonly lastFullAt = { send: -Infinity, query: -Infinity }
  private readonly timers = new Map<string, NodeJS.Timeout>()
  private readonly inFlight = new Map<string, Set<Promise<void>>>()
  private isStopping = false

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Clients) private readonly clients: Clients,
    @Inject(CallRunner) private readonly runner: CallRunner,
    @Inject(Workers) workers: Workers,
    @Inject(NewAttempts) attempts: NewAttempts,
  ) {
    const add = (kind: CallKind) =>
      workers.add({
        name: kind === 'send' ? 'attempt_sends' : 'attempt_queries',
        intervalMs: BUSY_INTERVAL_MS,
        role: 'worker',
        run: () => this.run(kind),
      })
    this.workers = { send: add('send'), query: add('query') }
    attempts.onStored((account) => this.wake(account, 'send'))
  }

  /** Claims the due calls of an account at once. */
  wake(account: string, kind: CallKind): void {
    this.woken[kind].add(account)
    this.workers[kind].wake()
  }

  onModuleDestroy() {
    this.isStopping = true
  }

  async beforeApplicationShutdown() {
    const calls = [...this.inFlight.values()].flatMap((set) => [...set])
    if (calls.length > 0) await withTimeout(Promise.all(calls), SHUTDOWN_WAIT_MS)
  }

  private async run(kind: CallKind): Promise<RunResult> {
    const now = performance.now()
    const isFull = now - this.lastFullAt[kind] >= BUSY_INTERVAL_MS / 2
    const names = isFull ? this.clients.names : [...this.woken[kind]]
    if (isFull) this.lastFullAt[kind] = now
    this.woken[kind].clear()
    let isMoreDue = false
    for (const name of names) {
      const client = this.clients.find(name)
      if (!client || !(await this.claimFor(client, kind))) continue
      this.woken[kind].add(name)
      isMoreDue = true
    }
    return isMoreDue ? 'more' : undefined
  }

  /** Claims and starts the calls of one account; @returns whether another claim may start more */
  private async claimFor(client: ClientOf, kind: CallKind): Promise<boolean> {
    const { account } = client
    if (this.isStopping || !this.clients.mayCall) return false
    if (kind === 'send' && account.state !== 'active') return false
    const running = this.runningOf(account, kind)
    const free = Math.min(account.limits.maxInFlight - running.size, MAX_CLAIM)
    if (free <= 0) return this.awaitSlot(account, kind)
    const leaseId = newUuid()
    const leaseSeconds = this.runner.leaseSecondsOf(client, kind)
    const isFresh = freshFor((leaseSeconds / 2) * 1_000)
    const { rate, burst, pollRate } = account.limits
    const bucket = kind === 'send' ? bucketOf(rate, burst) : bucketOf(pollRate)
    const request = { account: account.name, free, leaseId, leaseSeconds, bucket }
    const claimed = await this.database.write((run, retried) => claim(run, kind, request, retried))
    if (claimed.length > 0 && claimed.length < free) this.wakeLater(account, kind)
    for (const each of claimed) {
      const call: Call = { kind, claimed: each, client, leaseId, isFresh }
      const promise: Promise<void> = this.runner.perform(call).finally(() => {
        running.delete(promise)
        if (this.saturated[kind].delete(account.name)) this.wake(account.name, kind)
      })
      running.add(promise)
    }
    if (claimed.length < free) return false
    return running.size < account.limits.maxInFlight || this.awaitSlot(account, kind)
  }

  /** The next call of the account that ends makes the next claim. */
  private awaitSlot({ name }: ProviderAccount, kind: CallKind): false {
    this.saturated[kind].add(name)
    return false
  }

  /**
   * The tokens may have run out. A bucket of the usual size is full after BUSY_INTERVAL_MS, and loses what comes then:
   * the next claim is earlier.
   */
  private wakeLater({ name }: ProviderAccount, kind: CallKind) {
    const key = `${kind} ${name}`
    if (this.timers.has(key)) return
    const wake = () => {
      this.timers.delete(key)
      this.wake(name, kind)
    }
    this.timers.set(key, setTimeout(wake, BUSY_INTERVAL_MS / 2).unref())
  }

  private runningOf({ name }: ProviderAccount, kind: CallKind): Set<Promise<void>> {
    const key = `${kind} ${name}`
    const running = this.inFlight.get(key) ?? new Set()
    this.inFlight.set(key, running)
    return running
  }
}

import { availableParallelism } from 'node:os'
import { FairQueue, type Flow } from '@malipo/kit/http/fair-queue'
import { HTTP_PROBLEMS, Problem } from '@malipo/kit/http/problem'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import {
  Abandoned,
  assertNotCompleted,
  requestContext,
  timeLeftMs,
} from '@malipo/kit/telemetry/request-context'
import { Inject, Injectable } from '@nestjs/common'
import { compare, hash } from 'bcrypt'
import { Registry } from 'prom-client'
import { type Env, ENV } from '../env.js'
import { costOf, remainingWork } from './work.js'

/** Maximum number of queued calls. At cost 12, a full queue takes about 20 s on two cores: some reach their deadline. */
const MAX_QUEUED = 200

/** Longer than a login takes at this cost on a busy core, and shorter than the objective of 1 s for logins. */
const CHECK_TIME = { cost: 12, ms: 750 }

interface QueuedCall extends Flow {
  readonly start: () => void
  readonly reject: (reason: Error) => void
}

interface HashingOptions {
  /** Whether to hash even if the request has completed. */
  readonly evenIfAborted?: boolean
}

/**
 * Runs bcrypt at the configured cost on Node's thread pool, at most one hash per core at a time. One thread
 * stays free for DNS lookups and the authentication of database connections. Queued calls are served by
 * network in turn, and within a network by account, so that one client can't delay the logins of others. A
 * call whose client has disconnected leaves the queue, and so does one whose deadline is near.
 */
@Injectable()
export class PasswordHasher {
  private readonly cost: number
  private readonly maxRunning: number
  private readonly queue = new FairQueue<QueuedCall>(MAX_QUEUED)
  private running = 0

  constructor(
    @Inject(ENV) env: Pick<Env, 'BCRYPT_COST' | 'UV_THREADPOOL_SIZE'>,
    @Inject(Registry) registry: Registry,
  ) {
    this.cost = env.BCRYPT_COST
    this.maxRunning = Math.max(1, Math.min(availableParallelism(), env.UV_THREADPOOL_SIZE - 1))
    const help = `Logins, registrations and password changes queued for bcrypt; at most ${MAX_QUEUED}`
    observableGauge(registry, { name: 'password_hashes_queued', help }, (gauge) =>
      gauge.set(this.queue.size),
    )
  }

  /** @throws Abandoned if the client has disconnected; Problem 503 as `enqueue` */
  async hash(password: string, flow: Flow, options: HashingOptions = {}): Promise<string> {
    const hashed = await this.enqueue(flow, () => hash(password, this.cost), options)
    if (!options.evenIfAborted) assertNotCompleted()
    return hashed
  }

  /** How long the check of a password takes at most, unless it is queued. Each step of the cost doubles it. */
  get checkTimeMs(): number {
    return CHECK_TIME.ms * 2 ** (this.cost - CHECK_TIME.cost)
  }

  isOutdated(stored: string): boolean {
    return costOf(stored) !== this.cost
  }

  /** Compares a password with a stored hash. The work is the same for each result, and if no hash is stored. */
  async matches(password: string, stored: string | undefined): Promise<boolean> {
    const isMatch = stored !== undefined && (await compare(password, stored))
    for (const dummy of remainingWork(stored, this.cost)) await compare(password, dummy)
    return isMatch
  }

  /**
   * Queues work that hashes, until a thread is free. If the queue is full, the longest flow is rejected.
   * @throws Abandoned if the client disconnects before the work starts; Problem 503, also before the deadline
   */
  async enqueue<T>(flow: Flow, work: () => Promise<T>, options: HashingOptions = {}): Promise<T> {
    if (!options.evenIfAborted) assertNotCompleted()
    requestContext.getStore()?.admission?.leave()
    if (this.running < this.maxRunning) this.running++
    else await this.turnOf(flow, options)
    try {
      return await work()
    } finally {
      this.release()
    }
  }

  /** Resolves when another call has released its thread to this one. */
  private async turnOf({ network, caller }: Flow, { evenIfAborted }: HashingOptions) {
    const request = evenIfAborted ? undefined : requestContext.getStore()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const call = { network, caller, start: resolve, reject }
    const dropped = this.queue.add(call)
    dropped?.reject(tooManyLogins())
    if (!request) return promise
    const leave = (reason: Error) => {
      if (this.queue.remove(call)) reject(reason)
    }
    const timer = setTimeout(() => leave(tooManyLogins()), this.maxQueueMs())
    request.onCompleted = () => leave(new Abandoned())
    return promise.finally(() => clearTimeout(timer))
  }

  /** How long the current request can be queued: the hash that follows takes time too. */
  private maxQueueMs(): number {
    const leftMs = timeLeftMs(Infinity)
    return leftMs - Math.min(this.checkTimeMs, leftMs / 2)
  }

  private release() {
    const next = this.queue.take(() => true)
    if (next) next.start()
    else this.running--
  }
}

function tooManyLogins(): Problem {
  return new Problem(HTTP_PROBLEMS.unavailable, 'Too many logins are in progress. Retry later.', {
    retryAfterSeconds: 5,
  })
}

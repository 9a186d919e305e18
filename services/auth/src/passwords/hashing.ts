import { availableParallelism } from 'node:os'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { HTTP_PROBLEMS, Problem } from '@malipo/kit/http/problem'
import { Inject, Injectable } from '@nestjs/common'
import { compare, hash } from 'bcrypt'
import pLimit, { type LimitFunction } from 'p-limit'
import { Registry } from 'prom-client'
import { type Env, ENV } from '../env.js'
import { costOf, remainingWork } from './work.js'

/** Maximum number of queued calls; more are rejected. At cost 12, a full queue takes about 20 s. */
const MAX_QUEUED = 200

/**
 * Runs bcrypt at the configured cost on Node's thread pool, at most one hash per core at a time. One thread
 * stays free for DNS lookups and the authentication of database connections.
 */
@Injectable()
export class PasswordHasher {
  private readonly cost: number
  private readonly limit: LimitFunction

  constructor(
    @Inject(ENV) env: Pick<Env, 'BCRYPT_COST' | 'UV_THREADPOOL_SIZE'>,
    @Inject(Registry) registry: Registry,
  ) {
    this.cost = env.BCRYPT_COST
    this.limit = pLimit(Math.max(1, Math.min(availableParallelism(), env.UV_THREADPOOL_SIZE - 1)))
    const help = `Logins, registrations and password changes queued for bcrypt; at most ${MAX_QUEUED}`
    observableGauge(registry, { name: 'password_hashes_queued', help }, (gauge) =>
      gauge.set(this.limit.pendingCount),
    )
  }

  hash(password: string): Promise<string> {
    return this.enqueue(() => hash(password, this.cost))
  }

  isOutdated(stored: string): boolean {
    return costOf(stored) !== this.cost
  }

  /** Compares a password with a stored hash; a mismatch takes the same work even if none is stored. */
  async matches(password: string, stored: string | undefined): Promise<boolean> {
    if (stored !== undefined && (await compare(password, stored))) return true
    for (const dummy of remainingWork(stored, this.cost)) await compare(password, dummy)
    return false
  }

  /** Queues work that hashes, until a thread is free. @throws Problem 503 if the queue is full */
  async enqueue<T>(work: () => Promise<T>): Promise<T> {
    if (this.limit.pendingCount < MAX_QUEUED) return this.limit(work)
    throw new Problem(HTTP_PROBLEMS.unavailable, 'Too many logins are in progress. Retry later.', {
      retryAfterSeconds: 5,
    })
  }
}

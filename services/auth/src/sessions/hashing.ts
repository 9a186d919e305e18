import { availableParallelism } from 'node:os'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { HTTP_PROBLEMS, Problem } from '@malipo/kit/http/problem'
import { Inject, Injectable } from '@nestjs/common'
import { compare, hash } from 'bcrypt'
import pLimit, { type LimitFunction } from 'p-limit'
import { Registry } from 'prom-client'
import { type AuthEnv, ENV } from '../env.js'
import { costOf, remainingWork } from './work.js'

/** Who comes when so many wait is told to come again: at cost 12 the last of them waits some 20 s. */
const MOST_WAITING = 200

/**
 * bcrypt at the configured cost, on Node's thread pool. As many hashes are made at once as there are cores,
 * and one thread is left: names are resolved and new connections to the database are authenticated on
 * the same threads, and must not wait behind a crowd that logs in.
 */
@Injectable()
export class Hashing {
  private readonly cost: number
  private readonly limit: LimitFunction

  constructor(
    @Inject(ENV) env: Pick<AuthEnv, 'BCRYPT_COST' | 'UV_THREADPOOL_SIZE'>,
    @Inject(Registry) registry: Registry,
  ) {
    this.cost = env.BCRYPT_COST
    this.limit = pLimit(Math.max(1, Math.min(availableParallelism(), env.UV_THREADPOOL_SIZE - 1)))
    const help = `Logins, registrations and changes of passwords that wait for bcrypt, at most ${MOST_WAITING}`
    observableGauge(registry, { name: 'hashes_waiting', help }, (gauge) =>
      gauge.set(this.limit.pendingCount),
    )
  }

  hash(password: string): Promise<string> {
    return this.inTurn(() => hash(password, this.cost))
  }

  /** Whether a hash was made with another cost than is configured now. */
  isOutdated(stored: string): boolean {
    return costOf(stored) !== this.cost
  }

  /** Whether the password fits the stored hash; a no takes the same work without one. */
  async matches(password: string, stored: string | undefined): Promise<boolean> {
    if (stored !== undefined && (await compare(password, stored))) return true
    for (const dummy of remainingWork(stored, this.cost)) await compare(password, dummy)
    return false
  }

  /**
   * Does the work when its turn has come: hashing, and what is to be decided just before it.
   *
   * @throws Problem 503 when too many wait already
   */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.limit.pendingCount < MOST_WAITING) return this.limit(work)
    throw new Problem(HTTP_PROBLEMS.unavailable, 'Too many log in at once. Try again.', {
      retryAfterSeconds: 5,
    })
  }
}

import { HTTP_PROBLEMS, Problem } from '@malipo/kit/problem'
import { Inject, Injectable } from '@nestjs/common'
import { compare, hash } from 'bcrypt'
import pLimit from 'p-limit'
import { type AuthEnv, ENV } from '../env.js'
import { costOf, remainingWork } from './work.js'

/**
 * Of libuv's four threads bcrypt gets three: names are resolved and new connections to the database are
 * authenticated on the same threads, and must not wait behind a crowd that logs in.
 */
const AT_ONCE = 3
/** Who comes when so many wait is told to come again: at cost 12 the last of them waits some 20 s. */
const MOST_WAITING = 200

/** bcrypt at the configured cost, on the thread pool. */
@Injectable()
export class Hashing {
  private readonly cost: number
  private readonly limit = pLimit(AT_ONCE)

  constructor(@Inject(ENV) env: Pick<AuthEnv, 'BCRYPT_COST'>) {
    this.cost = env.BCRYPT_COST
  }

  hash(password: string): Promise<string> {
    return this.queued(() => hash(password, this.cost))
  }

  /** Whether a hash was made with another cost than is configured now. */
  isOutdated(stored: string): boolean {
    return costOf(stored) !== this.cost
  }

  /** Whether the password fits the stored hash; a no takes the same work without one. */
  async matches(password: string, stored: string | undefined): Promise<boolean> {
    return this.queued(async () => {
      if (stored !== undefined && (await compare(password, stored))) return true
      for (const dummy of remainingWork(stored, this.cost)) await compare(password, dummy)
      return false
    })
  }

  /** @throws Problem 503 when too many wait already */
  private async queued<T>(work: () => Promise<T>): Promise<T> {
    if (this.limit.pendingCount < MOST_WAITING) return this.limit(work)
    throw new Problem(HTTP_PROBLEMS.unavailable, 'Too many log in at once. Try again.', {
      retryAfterSeconds: 5,
    })
  }
}

import { createHash } from 'node:crypto'
import { Redis } from '@malipo/kit/redis'
import { Problem } from '@malipo/kit/problem'
import { Inject, Injectable } from '@nestjs/common'
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible'
import { PROBLEMS } from '../problems.js'
import type { Attempt } from './password-check.js'

const MAX_FAILURES = 10
const WINDOW_SECONDS = 5 * 60

/**
 * Holds up who guesses passwords: after ten failed logins to one phone from one address the next wait
 * until the five minutes are over. A stranger elsewhere can't lock the owner out, for the address counts.
 *
 * An attempt is counted before its password is looked at and uncounted after, so that a thousand at once
 * are no more than ten, and a refused one costs no bcrypt. Without Redis each process counts for itself.
 */
@Injectable()
export class Throttle {
  private readonly limiter: RateLimiterAbstract

  constructor(@Inject(Redis) redis: Redis) {
    const limits = { keyPrefix: 'auth:login', points: MAX_FAILURES, duration: WINDOW_SECONDS }
    const memory = new RateLimiterMemory(limits)
    this.limiter = redis.raw
      ? new RateLimiterRedis({
          ...limits,
          storeClient: redis.raw,
          rejectIfRedisNotReady: true,
          insuranceLimiter: memory,
        })
      : memory
  }

  /** @throws Problem 429 when too many attempts failed */
  async begin(attempt: Attempt): Promise<void> {
    try {
      await this.limiter.consume(keyOf(attempt))
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal
      throw new Problem(PROBLEMS.tooManyAttempts, 'Too many logins failed. Wait before the next.', {
        retryAfterSeconds: Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)),
      })
    }
  }

  /** Forgets the failures: the owner has come. */
  async succeeded(attempt: Attempt): Promise<void> {
    await this.limiter.delete(keyOf(attempt))
  }

  /** Uncounts an attempt that was never judged, because the database was away. */
  async unjudged(attempt: Attempt): Promise<void> {
    await this.limiter.reward(keyOf(attempt))
  }
}

/** No phone and no address is kept in Redis as it is. */
function keyOf({ phone, origin }: Attempt): string {
  return createHash('sha256').update(`${phone} ${origin.address}`).digest('base64url')
}

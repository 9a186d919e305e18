import { createHash } from 'node:crypto'
import { Problem } from '@malipo/kit/http/problem'
import type { Redis } from '@malipo/kit/redis/redis'
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible'
import { PROBLEMS } from '../problems.js'
import { type Quota, quotaHeaders } from './quota.js'

export const MINUTE = 60
export const HOUR = 3600

export interface RateLimitPolicy {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
  /** The wait triples each time the limit is reached again, up to this maximum. */
  readonly maxWaitSeconds: number
}

/** The result of `peek` or `consume`. */
export interface Consumption {
  readonly isAllowed: boolean
  readonly quota: Quota
}

/** After this time without a violation, the wait is as short as the window again. */
const VIOLATIONS_EXPIRE_SECONDS = 6 * HOUR
const WAIT_GROWTH = 3

/**
 * A rate limit that all replicas count together in Redis; without Redis, each process counts alone.
 *
 * Counters expire no later than the keys of revoked sessions, unless the limit was reached. Otherwise a flood
 * of first attempts could evict those keys from a full Redis.
 */
export class RateLimit {
  private readonly counts: RateLimiterAbstract
  private readonly violations: RateLimiterAbstract

  constructor(
    redis: Pick<Redis, 'raw'>,
    readonly policy: RateLimitPolicy,
  ) {
    const { name, limit, windowSeconds } = policy
    this.counts = limiter(redis, `auth:${name}`, limit, windowSeconds)
    this.violations = limiter(
      redis,
      `auth:${name}:reached`,
      Number.MAX_SAFE_INTEGER,
      VIOLATIONS_EXPIRE_SECONDS,
    )
  }

  /** The remaining quota, without consuming a point. */
  async peek(key: string): Promise<Consumption> {
    const found = await this.counts.get(key)
    return this.consumption(found, found === null || found.consumedPoints < this.policy.limit)
  }

  /** Consumes a point before the outcome is known; `refund` or `penalize` settles it later. */
  async consume(key: string): Promise<Consumption> {
    try {
      return this.consumption(await this.counts.consume(key), true)
    } catch (exhausted) {
      if (exhausted instanceof RateLimiterRes) return this.consumption(exhausted, false)
      throw exhausted
    }
  }

  async refund(key: string): Promise<void> {
    await this.counts.reward(key)
  }

  /** Keeps the point. The last point of the limit also extends the wait. */
  async penalize(key: string, { isAllowed, quota }: Consumption): Promise<void> {
    if (!isAllowed || quota.remaining > 0) return
    const { consumedPoints: times } = await this.violations.consume(key)
    const { windowSeconds, maxWaitSeconds } = this.policy
    const waitSeconds = Math.min(windowSeconds * WAIT_GROWTH ** (times - 1), maxWaitSeconds)
    if (times > 1) await this.counts.block(key, waitSeconds)
  }

  async reset(key: string): Promise<void> {
    await Promise.all([this.counts.delete(key), this.violations.delete(key)])
  }

  private consumption(found: RateLimiterRes | null, isAllowed: boolean): Consumption {
    const { name, limit, windowSeconds } = this.policy
    const remaining = isAllowed ? Math.max(0, limit - (found?.consumedPoints ?? 0)) : 0
    const resetSeconds = Math.max(1, Math.ceil((found?.msBeforeNext ?? 0) / 1000))
    return { isAllowed, quota: { name, limit, windowSeconds, remaining, resetSeconds } }
  }
}

function limiter(redis: Pick<Redis, 'raw'>, keyPrefix: string, points: number, duration: number) {
  const limits = { keyPrefix, points, duration }
  const memory = new RateLimiterMemory(limits)
  if (!redis.raw) return memory
  return new RateLimiterRedis({
    ...limits,
    storeClient: redis.raw,
    rejectIfRedisNotReady: true,
    insuranceLimiter: memory,
  })
}

export function tooManyAttempts(quota: Quota): Problem {
  return new Problem(
    PROBLEMS.tooManyAttempts,
    'Retry after the delay in Retry-After, which grows with each violation.',
    { retryAfterSeconds: quota.resetSeconds, headers: quotaHeaders(quota) },
  )
}

/** A hash, so that Redis stores no phone number and no address in plain text. */
export function hashedKey(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

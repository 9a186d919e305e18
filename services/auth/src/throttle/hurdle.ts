import type { Redis } from '@malipo/kit/redis/redis'
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible'
import type { Quota } from './quota.js'

/** How many in how long, and how the wait grows for who goes on after it. */
export interface Terms {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
  /** Each time that the limit is reached again the wait is three times as long, up to this. */
  readonly longestWaitSeconds: number
}

/** What was taken of a hurdle, or that there was nothing left. */
export interface Taken {
  readonly isOpen: boolean
  readonly quota: Quota
}

/** Whoever has been quiet for so long begins anew. */
const REMEMBERED_SECONDS = 6 * 3600
const GROWTH = 3

/**
 * A limit on something, counted in Redis for all replicas; without Redis, each process counts for itself.
 *
 * No count lives longer than a mark of a session that is over, but for that of who has reached a limit: a
 * flood of first attempts must not press such marks out of a Redis that is full.
 */
export class Hurdle {
  private readonly counts: RateLimiterAbstract
  /** How often the limit was reached of late. */
  private readonly reached: RateLimiterAbstract

  constructor(
    redis: Pick<Redis, 'raw'>,
    readonly terms: Terms,
  ) {
    const { name, limit, windowSeconds } = terms
    this.counts = limiter(redis, `auth:${name}`, limit, windowSeconds)
    this.reached = limiter(
      redis,
      `auth:${name}:reached`,
      Number.MAX_SAFE_INTEGER,
      REMEMBERED_SECONDS,
    )
  }

  /** What is left, without taking any. */
  async look(key: string): Promise<Taken> {
    const found = await this.counts.get(key)
    return this.taken(found, found === null || found.consumedPoints < this.terms.limit)
  }

  /** Takes one of what is left, before it is known whether it has to be counted. */
  async take(key: string): Promise<Taken> {
    try {
      return this.taken(await this.counts.consume(key), true)
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return this.taken(refusal, false)
      throw refusal
    }
  }

  /** It was not to be counted. */
  async giveBack(key: string): Promise<void> {
    await this.counts.reward(key)
  }

  /** It counts: the last one that was left makes the wait longer than the time before. */
  async keep(key: string, { isOpen, quota }: Taken): Promise<void> {
    if (!isOpen || quota.remaining > 0) return
    const { consumedPoints: times } = await this.reached.consume(key)
    const { windowSeconds, longestWaitSeconds } = this.terms
    const waitSeconds = Math.min(windowSeconds * GROWTH ** (times - 1), longestWaitSeconds)
    if (times > 1) await this.counts.block(key, waitSeconds)
  }

  /** Nothing is held against this key any more. */
  async forget(key: string): Promise<void> {
    await Promise.all([this.counts.delete(key), this.reached.delete(key)])
  }

  private taken(found: RateLimiterRes | null, isOpen: boolean): Taken {
    const { name, limit, windowSeconds } = this.terms
    const remaining = isOpen ? Math.max(0, limit - (found?.consumedPoints ?? 0)) : 0
    const resetSeconds = Math.max(1, Math.ceil((found?.msBeforeNext ?? 0) / 1000))
    return { isOpen, quota: { name, limit, windowSeconds, remaining, resetSeconds } }
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

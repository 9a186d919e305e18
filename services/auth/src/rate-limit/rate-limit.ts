import { hash } from 'node:crypto'
import { Problem } from '@malipo/kit/http/problem'
import type { Redis } from '@malipo/kit/redis/redis'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { PROBLEMS } from '../problems.js'

export const MINUTE = 60
export const HOUR = 3600

/** The wait triples each time the limit is reached again, up to this maximum. */
const MAX_WAIT_SECONDS = HOUR
/** After this time since the first violation, the wait is as short as the window again. */
const VIOLATIONS_EXPIRE_SECONDS = 6 * HOUR

/** The result of `peek` or `consume`. */
export interface Consumption {
  readonly key: string
  readonly isAllowed: boolean
  readonly remaining: number
  /** Seconds until the whole limit is available again. */
  readonly resetSeconds: number
  /** The headers of draft-ietf-httpapi-ratelimit-headers-10. */
  readonly headers: Readonly<Record<string, string>>
}

/**
 * All replicas share their counters in Redis; without Redis, each process counts alone. Except for
 * registrations, a counter expires no later than the key of a revoked session, unless its limit was
 * reached. Otherwise a flood of first attempts could evict those keys from a full Redis.
 */
export class RateLimit {
  private readonly counts
  private readonly violations

  constructor(
    redis: Pick<Redis, 'raw'>,
    private readonly name: string,
    private readonly limit: number,
    private readonly windowSeconds: number,
  ) {
    const unlimited = Number.MAX_SAFE_INTEGER
    this.counts = limiter(redis, `auth:${name}`, limit, windowSeconds)
    this.violations = limiter(redis, `auth:${name}:reached`, unlimited, VIOLATIONS_EXPIRE_SECONDS)
  }

  /** Reads the remaining quota without consuming a point. */
  async peek(subject: string): Promise<Consumption> {
    const key = hashed(subject)
    const found = await this.counts.get(key)
    return this.consumption(key, found, found === null || found.consumedPoints < this.limit)
  }

  /** Consumes a point before the outcome is known; `refund` or `penalize` settles it later. */
  async consume(subject: string): Promise<Consumption> {
    const key = hashed(subject)
    try {
      return this.consumption(key, await this.counts.consume(key), true)
    } catch (exhausted) {
      if (exhausted instanceof RateLimiterRes) return this.consumption(key, exhausted, false)
      throw exhausted
    }
  }

  /** Gives the point back, if one was consumed. */
  async refund({ key, isAllowed }: Consumption): Promise<void> {
    if (isAllowed) await this.counts.reward(key)
  }

  /** Leaves the point consumed. If it was the last point of the limit, the wait grows. */
  async penalize({ key, isAllowed, remaining }: Consumption): Promise<void> {
    if (!isAllowed || remaining > 0) return
    const { consumedPoints: times } = await this.violations.consume(key)
    const waitSeconds = Math.min(this.windowSeconds * 3 ** (times - 1), MAX_WAIT_SECONDS)
    if (times > 1) await this.counts.block(key, waitSeconds)
  }

  async reset({ key }: Consumption): Promise<void> {
    await Promise.all([this.counts.delete(key), this.violations.delete(key)])
  }

  private consumption(key: string, found: RateLimiterRes | null, isAllowed: boolean): Consumption {
    const { name, limit, windowSeconds } = this
    const remaining = isAllowed ? Math.max(0, limit - (found?.consumedPoints ?? 0)) : 0
    const resetSeconds = Math.max(1, Math.ceil((found?.msBeforeNext ?? 0) / 1000))
    const headers = {
      'ratelimit-policy': `"${name}";q=${limit};w=${windowSeconds}`,
      ratelimit: `"${name}";r=${remaining};t=${resetSeconds}`,
    }
    return { key, isAllowed, remaining, resetSeconds, headers }
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

export function tooManyAttempts({ resetSeconds, headers }: Consumption): Problem {
  const detail = 'Retry after the delay in Retry-After, which grows with each violation.'
  return new Problem(PROBLEMS.tooManyAttempts, detail, { retryAfterSeconds: resetSeconds, headers })
}

/** Hashes the subject, so that Redis stores no phone number and no address in plain text. */
function hashed(text: string): string {
  return hash('sha256', text, 'base64url')
}

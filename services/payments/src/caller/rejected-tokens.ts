import { networkOf } from '@malipo/kit/http/network'
import { LRUCache } from 'lru-cache'
import { RateLimiterMemory } from 'rate-limiter-flexible'

/** Hundreds of users of a mobile network may share an address, and their tokens expire together. */
const RATE_LIMIT = { points: 100, duration: 10 }

/**
 * Tokens that auth rejected, and the addresses that sent them. A rejection is final, so for a few seconds the
 * token is rejected again without a call to auth. An address that sends many rejected tokens is throttled.
 *
 * Both sets are bounded and in memory: a flood of invalid tokens must not evict revocations from Redis, and
 * must be throttled even without Redis.
 */
export class RejectedTokens {
  private readonly hashes = new LRUCache<string, true>({ max: 10_000, ttl: 5_000 })
  private readonly addresses = new RateLimiterMemory(RATE_LIMIT)

  has(tokenHash: string): boolean {
    return this.hashes.has(tokenHash)
  }

  /** Records that auth rejected a token from an address. */
  async add(tokenHash: string, address: string): Promise<void> {
    this.hashes.set(tokenHash, true)
    await this.addresses.penalty(networkOf(address))
  }

  /** Seconds until an address may send another uncached token; 0 if it may send one now. */
  async retryAfterSeconds(address: string): Promise<number> {
    const rejections = await this.addresses.get(networkOf(address))
    if (!rejections || rejections.consumedPoints < RATE_LIMIT.points) return 0
    return Math.max(1, Math.ceil(rejections.msBeforeNext / 1000))
  }
}

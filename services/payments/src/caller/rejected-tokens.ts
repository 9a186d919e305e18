import { limitFactor, networksOf } from '@malipo/kit/http/network'
import { LRUCache } from 'lru-cache'
import { RateLimiterMemory } from 'rate-limiter-flexible'

/** The limit is high: hundreds of mobile users may share an address, and their tokens may expire together. */
const RATE_LIMIT = { points: 100, duration: 10 }

/**
 * Tokens that auth rejected, and the addresses that sent them. A rejection is final, so the token is rejected
 * for a few seconds without another call to auth. An address that sends many rejected tokens is throttled.
 *
 * Both sets are bounded and in memory, so that a flood of invalid tokens can't evict revocations from Redis,
 * and is throttled even without Redis.
 */
export class RejectedTokens {
  private readonly hashes = new LRUCache<string, true>({ max: 10_000, ttl: 5_000 })
  private readonly addresses = new RateLimiterMemory(RATE_LIMIT)

  has(tokenHash: string): boolean {
    return this.hashes.has(tokenHash)
  }

  /** Records that auth rejected a token, and the address that sent the token. */
  async add(tokenHash: string, address: string): Promise<void> {
    this.hashes.set(tokenHash, true)
    await Promise.all(networksOf(address).map((network) => this.addresses.penalty(network)))
  }

  /** Seconds until an address may send another uncached token; 0 if it may send one now. */
  async retryAfterSeconds(address: string): Promise<number> {
    const waits = networksOf(address).map(async (network, nth) => {
      const rejections = await this.addresses.get(network)
      if (!rejections || rejections.consumedPoints < RATE_LIMIT.points * limitFactor(nth)) return 0
      return Math.max(1, Math.ceil(rejections.msBeforeNext / 1000))
    })
    return Math.max(...(await Promise.all(waits)))
  }
}

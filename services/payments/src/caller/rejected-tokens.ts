import { limitFactor, networksOf } from '@malipo/kit/http/network'
import { LRUCache } from 'lru-cache'

/** The limit is high: hundreds of mobile users may share an address, and their tokens may expire together. */
const LIMIT = 100
const WINDOW_MS = 10_000
const MAX_ENTRIES = 10_000

/**
 * Tokens that auth rejected, and the networks that sent them. A rejection is final, so the token is rejected
 * for a few seconds without another call to auth. An address whose network sends many rejected tokens is throttled.
 *
 * Both sets are bounded and in memory, so that a flood of invalid tokens can't evict revocations from Redis,
 * and is throttled even without Redis.
 */
export class RejectedTokens {
  private readonly hashes = new LRUCache<string, true>({ max: MAX_ENTRIES, ttl: 5_000 })
  /** Rejections by network, in windows that begin with the first one. */
  private readonly networks = new LRUCache<string, number>({
    max: MAX_ENTRIES,
    ttl: WINDOW_MS,
    noUpdateTTL: true,
  })

  has(tokenHash: string): boolean {
    return this.hashes.has(tokenHash)
  }

  /** Records that auth rejected a token, and the address that sent the token. */
  add(tokenHash: string, address: string): void {
    this.hashes.set(tokenHash, true)
    for (const network of networksOf(address)) {
      this.networks.set(network, this.rejectionsOf(network) + 1)
    }
  }

  /** Seconds until an address may send another uncached token; 0 if it may send one now. */
  retryAfterSeconds(address: string): number {
    const network = this.fullNetwork(networksOf(address), () => 0)
    if (network === undefined) return 0
    return Math.max(1, Math.ceil(this.networks.getRemainingTTL(network) / 1_000))
  }

  /**
   * The largest of the networks of an address whose rejections, and others that are expected, have reached its limit.
   *
   * @param expected of a network
   */
  fullNetwork(
    networks: readonly string[],
    expected: (network: string) => number,
  ): string | undefined {
    return networks.findLast(
      (network, nth) => this.rejectionsOf(network) + expected(network) >= LIMIT * limitFactor(nth),
    )
  }

  private rejectionsOf(network: string): number {
    return this.networks.get(network) ?? 0
  }
}

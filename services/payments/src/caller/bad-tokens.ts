import { isIPv6 } from 'node:net'
import { LRUCache } from 'lru-cache'
import { RateLimiterMemory } from 'rate-limiter-flexible'

/**
 * Tokens that auth refused, and who sent them. A token that is not good stays so, so the refusal is
 * given again for a few seconds without asking; an address that sends many of them is held up.
 *
 * Both are in this process's memory, bounded, and not in Redis: a flood of bad tokens must not push out
 * what Redis is there for, the marks of revoked sessions, and must be held up without it as well.
 */

const REFUSAL_MS = 5_000
const MOST_REFUSALS = 10_000
/** Several hundred people may come from one address of a mobile network, with tokens just over. */
const MOST_OF_ONE_ADDRESS = { points: 100, duration: 10 }

export class BadTokens {
  private readonly refused = new LRUCache<string, true>({ max: MOST_REFUSALS, ttl: REFUSAL_MS })
  private readonly senders = new RateLimiterMemory(MOST_OF_ONE_ADDRESS)

  isRefused(hash: string): boolean {
    return this.refused.has(hash)
  }

  /** Notes that auth refused a token which came from `address`. */
  async refuse(hash: string, address: string): Promise<void> {
    this.refused.set(hash, true)
    await this.senders.penalty(networkOf(address))
  }

  /** How long an address has to wait until a token that isn't known is looked at again; 0: it needn't. */
  async waitSeconds(address: string): Promise<number> {
    const sent = await this.senders.get(networkOf(address))
    if (!sent || sent.consumedPoints < MOST_OF_ONE_ADDRESS.points) return 0
    return Math.max(1, Math.ceil(sent.msBeforeNext / 1000))
  }
}

/**
 * Who is at an address: one customer has a whole /64 of IPv6 (RFC 6177), and could send each token from
 * another address of it. Not an address: itself.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.toLowerCase().split('%')[0]!.split('::')
  const before = head.split(':').filter(Boolean)
  const after = (tail ?? '').split(':').filter(Boolean)
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

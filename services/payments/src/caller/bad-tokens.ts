import ipaddr from 'ipaddr.js'
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
const GROUPS_OF_A_CUSTOMER = 4

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
 * another address of it.
 */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString()
  const groups = parsed.parts.slice(0, GROUPS_OF_A_CUSTOMER)
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`
}

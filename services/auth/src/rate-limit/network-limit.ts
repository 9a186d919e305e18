import { hash } from 'node:crypto'
import { limitFactor, networksOf } from '@malipo/kit/http/network'
import type { Redis } from '@malipo/kit/redis/redis'
import type { RateLimiterRes } from 'rate-limiter-flexible'
import { newQuota, type Quota, tightest } from './quota.js'
import { redisCircuit, SharedCounter } from './shared-counter.js'

/**
 * Short, because thousands of a mobile carrier's customers share an address (RFC 6888). If others in its
 * network have reached the limit, a client waits for at most this long.
 */
const WINDOW_SECONDS = 60

interface Level {
  readonly limit: number
  readonly counts: SharedCounter
}

/** The quota after a request was counted, or before it if the quota is exhausted. */
export interface Consumption {
  readonly quota: Quota
  /** Takes the counted request back. */
  readonly refund: () => Promise<unknown>
}

/**
 * A limit on the requests that the networks of an address send per minute: an IPv4 address, or an IPv6 /64
 * with its /56 and /48. All replicas share their counters in Redis; without Redis, each process counts alone.
 * A counter expires long before the key of a revoked session, so a flood can't evict those keys from a full
 * Redis.
 */
export class NetworkLimit {
  private readonly lan: Level
  private readonly sites: readonly Level[]

  constructor(
    redis: Pick<Redis, 'raw' | 'isUp'>,
    private readonly name: string,
    limit: number,
  ) {
    const circuit = redisCircuit()
    const level = (nth: number): Level => {
      const points = limit * limitFactor(nth)
      const window = { keyPrefix: `auth:${name}:${nth}`, points, duration: WINDOW_SECONDS }
      return { limit: points, counts: new SharedCounter(redis, circuit, window) }
    }
    this.lan = level(0)
    // The /56 and the /48 of an IPv6 address.
    this.sites = [1, 2].map(level)
  }

  /** Reads the remaining quota without consuming any. */
  async peek(address: string | null): Promise<Quota> {
    const quotas = await this.each(address, async ({ limit, counts }, key) => {
      const found = await counts.get(key)
      return this.quota(limit, found, (found?.consumedPoints ?? 0) < limit)
    })
    return tightest(quotas)
  }

  /** Consumes from the quota of each network, unless one of them is exhausted. */
  async consume(address: string | null): Promise<Consumption> {
    const counted = await this.each(address, async ({ limit, counts }, key) => {
      const { found, refund } = await counts.count(key)
      return { quota: this.quota(limit, found, found.consumedPoints <= limit), refund }
    })
    const [first, ...others] = counted
    const quota = tightest([first.quota, ...others.map((each) => each.quota)])
    const refund = () => Promise.all(counted.map((each) => each.refund()))
    if (!quota.isAllowed) await refund()
    return { quota, refund }
  }

  /** Applies `work` to the counter of each network. */
  private async each<T>(
    address: string | null,
    work: (level: Level, key: string) => Promise<T>,
  ): Promise<[T, ...T[]]> {
    const [lan, ...sites] = networksOf(address)
    return Promise.all([
      work(this.lan, hashed(lan)),
      ...sites.flatMap((site, nth) => {
        const level = this.sites[nth]
        return level ? [work(level, hashed(site))] : []
      }),
    ])
  }

  private quota(limit: number, found: RateLimiterRes | null, isAllowed: boolean): Quota {
    return newQuota(
      { name: this.name, limit, windowSeconds: WINDOW_SECONDS },
      {
        isAllowed,
        remaining: isAllowed ? Math.max(0, limit - (found?.consumedPoints ?? 0)) : 0,
        nextSeconds: found ? Math.max(1, Math.ceil(found.msBeforeNext / 1000)) : 0,
      },
    )
  }
}

/** Hashes the network, so that Redis stores no address in plain text. */
function hashed(network: string): string {
  return hash('sha256', network, 'base64url')
}

import { networkOf } from '@malipo/kit/http/network'
import { Redis } from '@malipo/kit/redis/redis'
import { Inject, Injectable } from '@nestjs/common'
import type { ClientContext } from '../client-context/client-context.js'
import { type Env, ENV, networkLimits } from '../env.js'
import { quotaHeaders } from './quota.js'
import { hashedKey, HOUR, MINUTE, RateLimit, tooManyAttempts } from './rate-limit.js'

/** Limits per network on rejected refreshes and on registrations. */
@Injectable()
export class NetworkRateLimits {
  private readonly rejectedRefreshes: RateLimit
  private readonly registrations: RateLimit

  constructor(@Inject(Redis) redis: Redis, @Inject(ENV) env: Env) {
    const { refusalsPerAddress, registrationsPerHour } = networkLimits(env)
    this.rejectedRefreshes = new RateLimit(redis, {
      name: 'refresh',
      limit: refusalsPerAddress,
      windowSeconds: 10 * MINUTE,
      maxWaitSeconds: HOUR,
    })
    this.registrations = new RateLimit(redis, {
      name: 'register',
      limit: registrationsPerHour,
      windowSeconds: HOUR,
      maxWaitSeconds: HOUR,
    })
  }

  /** Rejects a client with too many invalid refresh tokens. @throws Problem 429 */
  async assertRefreshAllowed(client: ClientContext): Promise<void> {
    const { isAllowed, quota } = await this.rejectedRefreshes.peek(keyOf(client))
    if (!isAllowed) throw tooManyAttempts(quota)
    client.setHeaders(quotaHeaders(quota))
  }

  /** Counts an invalid refresh token. Guessing one is infeasible, but each attempt costs a query. */
  async countRejectedRefresh(client: ClientContext): Promise<void> {
    const key = keyOf(client)
    await this.rejectedRefreshes.penalize(key, await this.rejectedRefreshes.consume(key))
  }

  /** Counts a registration, whatever its outcome. @throws Problem 429 */
  async countRegistration(client: ClientContext): Promise<void> {
    const { isAllowed, quota } = await this.registrations.consume(keyOf(client))
    if (!isAllowed) throw tooManyAttempts(quota)
    client.setHeaders(quotaHeaders(quota))
  }
}

function keyOf({ origin }: ClientContext): string {
  return hashedKey(networkOf(origin.address))
}

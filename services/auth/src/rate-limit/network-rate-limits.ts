import { Redis } from '@malipo/kit/redis/redis'
import { Inject, Injectable } from '@nestjs/common'
import type { ClientContext } from '../client-context/client-context.js'
import { type Env, ENV, networkLimits } from '../env.js'
import { NetworkLimit } from './network-limit.js'
import { tooManyAttempts } from './quota.js'

/** Limits per network on rejected refreshes and on registrations. */
@Injectable()
export class NetworkRateLimits {
  private readonly rejectedRefreshes: NetworkLimit
  private readonly registrations: NetworkLimit

  constructor(@Inject(Redis) redis: Redis, @Inject(ENV) env: Env) {
    const { refusalsPerMinute, registrationsPerMinute } = networkLimits(env)
    this.rejectedRefreshes = new NetworkLimit(redis, 'refresh', refusalsPerMinute)
    this.registrations = new NetworkLimit(redis, 'register', registrationsPerMinute)
  }

  /**
   * Counts an invalid refresh token, which is infeasible to guess. A valid one is exchanged even if others in
   * the client's network have reached the limit. @throws Problem 429
   */
  async countRejectedRefresh({ origin, setHeaders }: ClientContext): Promise<void> {
    const { quota: refreshes } = await this.rejectedRefreshes.consume(origin.address)
    if (!refreshes.isAllowed) throw tooManyAttempts(refreshes)
    setHeaders(refreshes.headers)
  }

  /** Counts a registration, whether or not it succeeds. @throws Problem 429 */
  async countRegistration({ origin, setHeaders }: ClientContext): Promise<void> {
    const { quota: registrations } = await this.registrations.consume(origin.address)
    if (!registrations.isAllowed) throw tooManyAttempts(registrations)
    setHeaders(registrations.headers)
  }
}

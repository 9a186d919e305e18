import { networkOf } from '@malipo/kit/http/network'
import { Redis } from '@malipo/kit/redis/redis'
import { Inject, Injectable } from '@nestjs/common'
import type { ClientContext } from '../client-context/client-context.js'
import { type Env, ENV, networkLimits } from '../env.js'
import { HOUR, MINUTE, RateLimit, tooManyAttempts } from './rate-limit.js'

/** Limits per network on rejected refreshes and on registrations. */
@Injectable()
export class NetworkRateLimits {
  private readonly rejectedRefreshes: RateLimit
  private readonly registrations: RateLimit

  constructor(@Inject(Redis) redis: Redis, @Inject(ENV) env: Env) {
    const { refusalsPerAddress, registrationsPerHour } = networkLimits(env)
    this.rejectedRefreshes = new RateLimit(redis, 'refresh', refusalsPerAddress, 10 * MINUTE)
    this.registrations = new RateLimit(redis, 'register', registrationsPerHour, HOUR)
  }

  /** Rejects a client with too many invalid refresh tokens. @throws Problem 429 */
  async assertRefreshAllowed(client: ClientContext): Promise<void> {
    const refreshes = await this.rejectedRefreshes.peek(networkOf(client.origin.address))
    if (!refreshes.isAllowed) throw tooManyAttempts(refreshes)
    client.setHeaders(refreshes.headers)
  }

  /** Counts an invalid refresh token. Guessing one is infeasible, but each guess costs a query. */
  async countRejectedRefresh(client: ClientContext): Promise<void> {
    const network = networkOf(client.origin.address)
    await this.rejectedRefreshes.penalize(await this.rejectedRefreshes.consume(network))
  }

  /** Counts a registration, whether or not it succeeds. @throws Problem 429 */
  async countRegistration(client: ClientContext): Promise<void> {
    const registrations = await this.registrations.consume(networkOf(client.origin.address))
    if (!registrations.isAllowed) throw tooManyAttempts(registrations)
    client.setHeaders(registrations.headers)
  }
}

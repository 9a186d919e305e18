import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import type { ClientContext } from '../client-context/client-context.js'
import { OutcomeCounter } from '../outcome-counter.js'
import { refreshTokenNotValid } from '../problems.js'
import { NetworkRateLimits } from '../rate-limit/network-rate-limits.js'
import { parseRefreshToken } from './refresh-token.js'
import type { TokensDto } from './sessions.dto.js'
import { SessionsService } from './sessions.service.js'

/** Exchanges refresh tokens for new tokens, and rate-limits invalid ones. */
@Injectable()
export class RefreshService {
  private readonly refreshes

  constructor(
    private readonly limits: NetworkRateLimits,
    private readonly sessions: SessionsService,
    @Inject(Registry) registry: Registry,
  ) {
    const metric = { name: 'refreshes_total', help: 'Refreshes by outcome' }
    const outcomes = ['rotated', 'repeated', 'reused', 'rejected', 'throttled', 'failed'] as const
    this.refreshes = new OutcomeCounter(registry, metric, outcomes)
  }

  /** @throws Problem 401 for any invalid token, 429, 503 */
  async refresh(text: string, client: ClientContext): Promise<TokensDto> {
    const operation = async () => this.use(text, client)
    const { tokens } = await this.refreshes.count(operation, ({ use }) => use)
    if (!tokens) throw refreshTokenNotValid()
    return tokens
  }

  private async use(text: string, client: ClientContext) {
    const arrivedAt = performance.now()
    const token = parseRefreshToken(text)
    const used = token && (await this.sessions.refresh(token, client.origin, arrivedAt))
    if (!used?.tokens) await this.limits.countRejectedRefresh(client)
    if (!used) throw refreshTokenNotValid()
    return used
  }
}

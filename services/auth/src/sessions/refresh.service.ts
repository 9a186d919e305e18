import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import type { ClientContext } from '../client-context/client-context.js'
import { OutcomeCounter } from '../outcome-counter.js'
import { refreshTokenNotValid } from '../problems.js'
import { NetworkRateLimits } from '../rate-limit/network-rate-limits.js'
import { deviceTokenOf } from '../tokens/device-token.js'
import { TokensService } from '../tokens/tokens.service.js'
import { parseRefreshToken, sessionPart } from './refresh-token.js'
import type { TokensDto } from './sessions.dto.js'
import { TokenRotation } from './token-rotation.js'

/** Exchanges refresh tokens for new tokens, and rate-limits invalid ones. */
@Injectable()
export class RefreshService {
  private readonly refreshes

  constructor(
    private readonly limits: NetworkRateLimits,
    private readonly rotation: TokenRotation,
    private readonly tokens: TokensService,
    @Inject(Registry) registry: Registry,
  ) {
    const metric = { name: 'refreshes_total', help: 'Refreshes by outcome' }
    const outcomes = ['rotated', 'repeated', 'reused', 'rejected', 'throttled', 'failed'] as const
    this.refreshes = new OutcomeCounter(registry, metric, outcomes)
  }

  /** @throws Problem 401 for any invalid token, 429, 503 */
  async refresh(text: string, client: ClientContext): Promise<TokensDto> {
    const operation = async () => this.exchange(text, client)
    const rotation = await this.refreshes.count(operation, ({ use }) => use)
    if (rotation.use === 'reused') throw refreshTokenNotValid()
    const { sid, successor } = rotation
    const device_token = deviceTokenOf(sid, sessionPart(successor.text))
    return { ...this.tokens.sign(rotation), refresh_token: successor.text, device_token }
  }

  private async exchange(text: string, client: ClientContext) {
    const arrivedAt = performance.now()
    const token = parseRefreshToken(text)
    const rotation = token && (await this.rotation.rotate(token, client.origin, arrivedAt))
    if (!rotation || rotation.use === 'reused') await this.limits.countRejectedRefresh(client)
    if (!rotation) throw refreshTokenNotValid()
    return rotation
  }
}

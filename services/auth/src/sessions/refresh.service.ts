import { Injectable } from '@nestjs/common'
import type { ClientContext } from '../client-context/client-context.js'
import { refreshTokenNotValid } from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import { TokensService } from '../tokens/tokens.service.js'
import { SessionsMetrics } from './sessions-metrics.js'
import type { TokensDto } from './sessions.dto.js'
import { TokenRotation } from './token-rotation.js'

/**
 * Exchanges a refresh token for new tokens. A reused token revokes the session: both the legitimate client
 * and a thief hold a token of it, and the service cannot distinguish them. `rotate.store.ts` handles lost
 * responses.
 */
@Injectable()
export class RefreshService {
  constructor(
    private readonly rotation: TokenRotation,
    private readonly tokens: TokensService,
    private readonly revocations: RevocationsService,
    private readonly metrics: SessionsMetrics,
  ) {}

  /** @throws Problem 401 for any invalid token, 429, 503 */
  async refresh(text: string, client: ClientContext): Promise<TokensDto> {
    const { next, rotated } = await this.metrics.refreshes.count(
      () => this.rotation.use(text, client),
      ({ rotated }) => rotated.use,
    )
    const { use, sid, revokedAt } = rotated
    if (revokedAt) await this.revocations.publish('refresh_reuse', { sid, at: revokedAt })
    if (use === 'reused') throw refreshTokenNotValid()
    return { ...this.tokens.sign(rotated), refresh_token: next.text }
  }
}

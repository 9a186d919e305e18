import { Injectable } from '@nestjs/common'
import { Meters } from '../audit/meters.js'
import { Revocations } from '../revocations/revocations.js'
import type { Visit } from '../throttle/visit.js'
import { Tokens } from '../tokens/tokens.js'
import { refreshTokenNotValid, Rotations } from './rotations.js'
import type { TokensDto } from './sessions.dto.js'

/**
 * How a session goes on: a refresh token is used up for new tokens. One that was used up and comes again
 * ends the session, for then two have it who can't be told apart; but see `rotate.store.ts` for the
 * client whose answer was lost.
 */
@Injectable()
export class Refresh {
  constructor(
    private readonly rotations: Rotations,
    private readonly tokens: Tokens,
    private readonly revocations: Revocations,
    private readonly meters: Meters,
  ) {}

  /** @throws Problem 401 for a token that is not good, whatever the reason, 429, 503 */
  async refresh(text: string, visit: Visit): Promise<TokensDto> {
    const { next, rotated } = await this.meters.count(
      'refreshes',
      () => this.rotations.use(text, visit),
      ({ rotated }) => rotated.use,
    )
    if (rotated.endedAt) {
      this.meters.ended('refresh_reuse')
      await this.revocations.tell([{ sid: rotated.sid, at: rotated.endedAt }])
    }
    if (rotated.use === 'reused') throw refreshTokenNotValid()
    return { ...this.tokens.sign(rotated), refresh_token: next.text }
  }
}

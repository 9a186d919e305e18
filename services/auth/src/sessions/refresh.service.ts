import { Database } from '@malipo/kit/database'
import { Problem } from '@malipo/kit/problem'
import { Inject, Injectable } from '@nestjs/common'
import { Meters } from '../audit/meters.js'
import { type AuthEnv, ENV } from '../env.js'
import { PROBLEMS } from '../problems.js'
import { Revocations } from '../revocations/revocations.js'
import { Tokens } from '../tokens/tokens.js'
import type { Origin } from './origin.js'
import { parseRefreshToken, type RefreshToken, successorOf } from './refresh-token.js'
import { rotate, type Rotated } from './rotate.store.js'
import type { TokensDto } from './sessions.dto.js'

interface Use {
  next: RefreshToken
  rotated: Rotated
}

/**
 * How a session goes on: a refresh token is used up for new tokens. One that was used up and comes again
 * ends the session, for then two have it who can't be told apart; but see `rotate.store.ts` for the
 * client whose answer was lost.
 */
@Injectable()
export class Refresh {
  constructor(
    private readonly tokens: Tokens,
    private readonly revocations: Revocations,
    private readonly meters: Meters,
    @Inject(Database) private readonly database: Database,
    @Inject(ENV) private readonly env: Pick<AuthEnv, 'SESSION_EXPIRES_IN'>,
  ) {}

  /** @throws Problem 401 for a token that is not good, whatever the reason, 503 */
  async refresh(text: string, origin: Origin): Promise<TokensDto> {
    const { next, rotated } = await this.meters.count(
      'refreshes',
      () => this.use(parseRefreshToken(text), origin),
      ({ rotated }) => rotated.use,
    )
    if (rotated.endedAt) {
      this.meters.ended('refresh_reuse')
      await this.revocations.tell([{ sid: rotated.sid, at: rotated.endedAt }])
    }
    if (rotated.use === 'reused') throw notValid()
    return { ...this.tokens.sign(rotated), refresh_token: next.text }
  }

  private async use(presented: RefreshToken | undefined, origin: Origin): Promise<Use> {
    const begun = performance.now()
    if (!presented) throw notValid()
    const next = successorOf(presented)
    const rotated = await this.database.write((run) =>
      rotate(run, {
        presented: presented.hashes,
        successor: next.hashes.own,
        ageMs: performance.now() - begun,
        lifetimeSeconds: this.env.SESSION_EXPIRES_IN,
        origin,
      }),
    )
    if (!rotated) throw notValid()
    return { next, rotated }
  }
}

function notValid(): Problem {
  return new Problem(
    PROBLEMS.refreshTokenNotValid,
    'It was used up, is over, or its session has ended. Log in again.',
    { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } },
  )
}

import { Database } from '@malipo/kit/postgres/database'
import { Problem } from '@malipo/kit/http/problem'
import { Inject, Injectable } from '@nestjs/common'
import { type AuthEnv, ENV } from '../env.js'
import { PROBLEMS } from '../problems.js'
import { Throttle } from '../throttle/throttle.js'
import type { Visit } from '../throttle/visit.js'
import type { Origin } from './origin.js'
import { parseRefreshToken, type RefreshToken, successorOf } from './refresh-token.js'
import { rotate, type Rotated } from './rotate.store.js'

/** What came of a refresh token that was used: the next one, unless it was `reused`. */
export interface Use {
  readonly next: RefreshToken
  readonly rotated: Rotated
}

/** Uses refresh tokens up, and holds up who comes with one after the other that is not good. */
@Injectable()
export class Rotations {
  constructor(
    private readonly throttle: Throttle,
    @Inject(Database) private readonly database: Database,
    @Inject(ENV) private readonly env: Pick<AuthEnv, 'SESSION_EXPIRES_IN'>,
  ) {}

  /** @throws Problem 401 for a token that is no living session's, 429, 503 */
  async use(text: string, visit: Visit): Promise<Use> {
    const begun = performance.now()
    const presented = parseRefreshToken(text)
    await this.throttle.lookAtRefresh(visit)
    try {
      const use = await this.rotate(presented, visit.origin, begun)
      if (use.rotated.use === 'reused') await this.throttle.countRefusedRefresh(visit)
      return use
    } catch (error) {
      // A database that is away is nobody's fault.
      const isRefused = error instanceof Problem && error.kind === PROBLEMS.refreshTokenNotValid
      if (isRefused) await this.throttle.countRefusedRefresh(visit)
      throw error
    }
  }

  private async rotate(presented: RefreshToken | undefined, origin: Origin, begun: number) {
    if (!presented) throw refreshTokenNotValid()
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
    if (!rotated) throw refreshTokenNotValid()
    return { next, rotated }
  }
}

export function refreshTokenNotValid(): Problem {
  return new Problem(
    PROBLEMS.refreshTokenNotValid,
    'It was used up, is over, or its session has ended. Log in again.',
    { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } },
  )
}

import { Problem } from '@malipo/kit/http/problem'
import { Database } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import type { ClientContext, Origin } from '../client-context/client-context.js'
import { type Env, ENV } from '../env.js'
import { PROBLEMS, refreshTokenNotValid } from '../problems.js'
import { NetworkRateLimits } from '../rate-limit/network-rate-limits.js'
import { parseRefreshToken, type RefreshToken, successorOf } from './refresh-token.js'
import { rotate, type Rotated } from './rotate.store.js'

/** The result of using a refresh token; `next` is valid unless the token was `reused`. */
export interface RotationResult {
  readonly next: RefreshToken
  readonly rotated: Rotated
}

/** Rotates refresh tokens and rate-limits invalid ones. */
@Injectable()
export class TokenRotation {
  constructor(
    private readonly limits: NetworkRateLimits,
    @Inject(Database) private readonly database: Database,
    @Inject(ENV) private readonly env: Pick<Env, 'SESSION_EXPIRES_IN'>,
  ) {}

  /** @throws Problem 401 for a token without an active session, 429, 503 */
  async use(text: string, client: ClientContext): Promise<RotationResult> {
    const arrivedAt = performance.now()
    const presented = parseRefreshToken(text)
    await this.limits.assertRefreshAllowed(client)
    try {
      const result = await this.rotate(presented, client.origin, arrivedAt)
      if (result.rotated.use === 'reused') await this.limits.countRejectedRefresh(client)
      return result
    } catch (error) {
      // A failure of the database does not count against the client.
      const isRejected = error instanceof Problem && error.kind === PROBLEMS.refreshTokenNotValid
      if (isRejected) await this.limits.countRejectedRefresh(client)
      throw error
    }
  }

  private async rotate(presented: RefreshToken | undefined, origin: Origin, arrivedAt: number) {
    if (!presented) throw refreshTokenNotValid()
    const next = successorOf(presented)
    const rotated = await this.database.write((run) =>
      rotate(run, {
        presented: presented.hashes,
        successor: next.hashes.own,
        ageMs: performance.now() - arrivedAt,
        lifetimeSeconds: this.env.SESSION_EXPIRES_IN,
        origin,
      }),
    )
    if (!rotated) throw refreshTokenNotValid()
    return { next, rotated }
  }
}

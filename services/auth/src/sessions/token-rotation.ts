import { randomBytes } from 'node:crypto'
import { Database } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import type { Origin } from '../client-context/client-context.js'
import { type Env, ENV } from '../env.js'
import { refreshKeyMissing, tooManyRefreshes } from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import { RefreshKeys } from './refresh-keys.js'
import type { RefreshToken } from './refresh-token.js'
import { revokeReused, rotate } from './rotate.store.js'

export type Rotation =
  | {
      readonly use: 'rotated' | 'repeated'
      readonly sid: string
      readonly sub: string
      readonly scopes: readonly string[] | null
      readonly successor: RefreshToken
    }
  | { readonly use: 'reused' }

const SALT_BYTES = 32

/** Exchanges refresh tokens for their successors. A statement on the session's row decides all races. */
@Injectable()
export class TokenRotation {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly keys: RefreshKeys,
    private readonly revocations: RevocationsService,
    @Inject(ENV) private readonly env: Pick<Env, 'SESSION_EXPIRES_IN' | 'REFRESH_GRACE_MS'>,
  ) {}

  /**
   * Exchanges a refresh token; undefined if it belongs to no active session. A reused token revokes the
   * session: a legitimate client and a thief then both have tokens of it, and the service cannot
   * distinguish them.
   *
   * @throws Problem 429 for a session that is refreshed too often, 503
   */
  async rotate(
    presented: RefreshToken,
    origin: Origin,
    arrivedAt: number,
  ): Promise<Rotation | undefined> {
    // Every attempt of the request passes the same salt, so a retry finds its own successor.
    const salt = randomBytes(SALT_BYTES)
    const derived = this.keys.derive(presented, salt)
    const judged = await this.database.write((run) =>
      rotate(run, {
        presented: presented.hashes,
        candidate: { hash: derived.hashes.own, salt },
        ageMs: performance.now() - arrivedAt,
        graceMs: this.env.REFRESH_GRACE_MS,
        lifetimeSeconds: this.env.SESSION_EXPIRES_IN,
        origin,
      }),
    )
    if (!judged) return undefined
    const { use, sid, sub, scopes } = judged
    if (use === 'limited') throw tooManyRefreshes(judged.waitMs ?? this.env.REFRESH_GRACE_MS)
    if (use === 'reused') {
      await this.revoke(sid, origin)
      return { use }
    }
    const successor = use === 'rotated' ? derived : this.repeat(presented, judged)
    return { use, sid, sub, scopes, successor }
  }

  private repeat(
    presented: RefreshToken,
    { salt, successor }: { salt: string | null; successor: string | null },
  ): RefreshToken {
    const repeated =
      salt &&
      successor &&
      this.keys.deriveAgain(presented, Buffer.from(salt, 'hex'), Buffer.from(successor, 'hex'))
    if (!repeated) throw refreshKeyMissing()
    return repeated
  }

  private async revoke(sid: string, origin: Origin) {
    const revoked = await this.database.write((run) => revokeReused(run, sid, origin))
    if (!revoked) return
    const { isNew, ...row } = revoked
    await this.revocations.publish('refresh_reuse', row, isNew)
  }
}

import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import type { Origin } from '../client-context/client-context.js'
import { type Env, ENV } from '../env.js'
import type { Credentials } from '../passwords/credentials.store.js'
import { revocationPending } from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import { deviceTokenHash, deviceTokenOf } from '../tokens/device-token.js'
import { TokensService } from '../tokens/tokens.service.js'
import { newRefreshToken, type RefreshToken, sessionPart, successorOf } from './refresh-token.js'
import { rotate, type Use } from './rotate.store.js'
import type { TokensDto } from './sessions.dto.js'
import { activeSessions, openSession, type Revocation, revokeSession } from './sessions.store.js'

/** Manages sessions. A token carries its session's id and is valid only while the session is active. */
@Injectable()
export class SessionsService {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly tokens: TokensService,
    private readonly revocations: RevocationsService,
    @Inject(ENV) private readonly env: Pick<Env, 'SESSION_EXPIRES_IN'>,
  ) {}

  /** @returns undefined if the password was changed after it was verified */
  async open(user: Credentials, origin: Origin): Promise<TokensDto | undefined> {
    const { id: userId, passwordVersion } = user
    const sid = newUuid()
    const { text, hashes } = newRefreshToken()
    const lifetimeSeconds = this.env.SESSION_EXPIRES_IN
    const client = { deviceTokenHash: deviceTokenHash(sessionPart(text)), origin }
    const session = { id: sid, userId, passwordVersion, hashes, lifetimeSeconds, ...client }
    const opened = await this.database.write((run) => openSession(run, session))
    if (!opened) return undefined
    const tokens = this.tokens.sign({ sub: userId, sid, ...opened })
    return { ...tokens, refresh_token: text, device_token: deviceTokenOf(sid, sessionPart(text)) }
  }

  /**
   * Exchanges a refresh token; undefined if it belongs to no active session. A reused token revokes the
   * session: a legitimate client and a thief then both have tokens of it, and the service cannot
   * distinguish them.
   */
  async refresh(
    presented: RefreshToken,
    origin: Origin,
    arrivedAt: number,
  ): Promise<{ use: Use; tokens?: TokensDto } | undefined> {
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
    if (!rotated) return undefined
    const { use, sid, revokedAt } = rotated
    if (revokedAt) await this.revocations.publish('refresh_reuse', { sid, at: revokedAt })
    if (use === 'reused') return { use }
    const device_token = deviceTokenOf(sid, sessionPart(next.text))
    return { use, tokens: { ...this.tokens.sign(rotated), refresh_token: next.text, device_token } }
  }

  /** Active sessions of a user, most recently used first; at most 100. */
  async list(userId: string) {
    return this.database.read((run) => activeSessions(run, userId))
  }

  /**
   * Resolves when every replica of every service rejects the session's tokens; false if the user never had
   * this session. @throws Problem 503 while Redis is unavailable, although the session is already revoked
   */
  async revoke(revocation: Revocation): Promise<boolean> {
    const revoked = await this.database.write((run) => revokeSession(run, revocation))
    if (!revoked) return false
    const { isNew, ...row } = revoked
    if (await this.revocations.publish(revocation.cause, row, isNew)) return true
    throw revocationPending()
  }
}

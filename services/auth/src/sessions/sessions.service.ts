import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import {
  Abandoned,
  assertNotCompleted,
  requestContext,
} from '@malipo/kit/telemetry/request-context'
import { Inject, Injectable } from '@nestjs/common'
import type { Origin } from '../client-context/client-context.js'
import { type Env, ENV } from '../env.js'
import type { Credentials } from '../passwords/credentials.store.js'
import { revocationPending } from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import { deviceTokenHash, deviceTokenOf } from '../tokens/device-token.js'
import { TokensService } from '../tokens/tokens.service.js'
import { newRefreshToken, sessionPart } from './refresh-token.js'
import type { TokensDto } from './sessions.dto.js'
import { activeSessions, openSession, type Revocation, revokeSession } from './sessions.store.js'

/** Manages sessions. A token carries its session's id and is valid only while the session is active. */
@Injectable()
export class SessionsService {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly tokens: TokensService,
    private readonly revocations: RevocationsService,
    @Inject(ENV) private readonly env: Pick<Env, 'SESSION_EXPIRES_IN' | 'SESSIONS_PER_USER'>,
  ) {}

  /**
   * Opens a session, and revokes the user's least recently used sessions beyond `SESSIONS_PER_USER`. While
   * Redis is unavailable, these revocations stay pending and do not fail the login. If the client has
   * disconnected, no session is opened: no client would receive its tokens.
   *
   * @returns undefined if the password was changed after it was verified
   * @throws Abandoned, Problem 503
   */
  async open(user: Credentials, origin: Origin): Promise<TokensDto | undefined> {
    assertNotCompleted()
    const { id: userId, passwordVersion, deadline } = user
    const sid = newUuid()
    const { text, hashes } = newRefreshToken()
    const { SESSION_EXPIRES_IN: lifetimeSeconds, SESSIONS_PER_USER: limit } = this.env
    const client = { deviceTokenHash: deviceTokenHash(sessionPart(text)), origin }
    const account = { userId, passwordVersion, deadline }
    const session = { id: sid, ...account, hashes, lifetimeSeconds, limit, ...client }
    const opened = await this.database.write((run) => openSession(run, session))
    if (!opened) return undefined
    const { scopes, evicted } = opened
    // A login does not wait for Redis; the relay publishes what fails.
    for (const one of evicted) void this.revocations.publish('session_limit', one)
    if (requestContext.getStore()?.isCompleted) {
      await this.revoke({ sid, sub: userId, cause: 'revoked' })
      throw new Abandoned()
    }
    const tokens = this.tokens.sign({ sub: userId, sid, scopes })
    return { ...tokens, refresh_token: text, device_token: deviceTokenOf(sid, sessionPart(text)) }
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

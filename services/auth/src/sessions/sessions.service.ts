import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import type { Origin } from '../client-context/client-context.js'
import { type Env, ENV } from '../env.js'
import type { Credentials } from '../passwords/credentials.store.js'
import { TokensService } from '../tokens/tokens.service.js'
import { newRefreshToken } from './refresh-token.js'
import type { TokensDto } from './sessions.dto.js'
import { activeSessions, openSession, type SessionRow } from './sessions.store.js'

/** Opens and lists sessions. A session's tokens carry its id and are valid while it is active. */
@Injectable()
export class SessionsService {
  constructor(
    private readonly tokens: TokensService,
    @Inject(Database) private readonly database: Database,
    @Inject(ENV) private readonly env: Pick<Env, 'SESSION_EXPIRES_IN'>,
  ) {}

  /** @returns undefined if the password was changed after it was checked */
  async open(user: Credentials, origin: Origin): Promise<TokensDto | undefined> {
    const sid = newUuid()
    const refreshToken = newRefreshToken()
    const session = {
      id: sid,
      userId: user.id,
      passwordVersion: user.passwordVersion,
      hashes: refreshToken.hashes,
      lifetimeSeconds: this.env.SESSION_EXPIRES_IN,
      origin,
    }
    const opened = await this.database.write((run) => openSession(run, session))
    if (!opened) return undefined
    const { scopes } = opened
    return { ...this.tokens.sign({ sub: user.id, sid, scopes }), refresh_token: refreshToken.text }
  }

  /** Active sessions of a user, most recently used first; at most 100. */
  async list(userId: string): Promise<SessionRow[]> {
    return this.database.read((run) => activeSessions(run, userId))
  }
}

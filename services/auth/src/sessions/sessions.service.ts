import { Database } from '@malipo/kit/postgres/database'
import { Problem } from '@malipo/kit/http/problem'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { Meters } from '../audit/meters.js'
import { type AuthEnv, ENV } from '../env.js'
import { PROBLEMS } from '../problems.js'
import type { Attempt } from '../throttle/throttle.js'
import { Tokens } from '../tokens/tokens.js'
import type { Credentials } from '../users/users.store.js'
import type { Origin } from './origin.js'
import { PasswordCheck } from './password-check.js'
import { newRefreshToken } from './refresh-token.js'
import type { TokensDto } from './sessions.dto.js'
import { livingSessions, openSession, type SessionRow } from './sessions.store.js'

/**
 * Sessions: a login opens one, its tokens carry its id and count while it lives. The answer to a login
 * leaves only once the session is in the database.
 */
@Injectable()
export class Sessions {
  constructor(
    private readonly passwords: PasswordCheck,
    private readonly tokens: Tokens,
    private readonly meters: Meters,
    @Inject(Database) private readonly database: Database,
    @Inject(ENV) private readonly env: Pick<AuthEnv, 'SESSION_EXPIRES_IN'>,
  ) {}

  /** @throws Problem 401 for a wrong phone or password alike, 429, 503 */
  async login(attempt: Attempt, password: string): Promise<TokensDto> {
    const judged = async () => {
      const user = await this.passwords.check(attempt, password)
      const tokens = user && (await this.open(user, attempt.visit.origin))
      if (tokens) return tokens
      throw new Problem(
        PROBLEMS.wrongCredentials,
        'No account has this phone with this password.',
        { headers: { 'www-authenticate': 'Bearer' } },
      )
    }
    return this.meters.count('logins', judged, () => 'ok')
  }

  /** The living sessions of a user, the last used first; 100 at most. */
  async of(userId: string): Promise<SessionRow[]> {
    return this.database.read((run) => livingSessions(run, userId))
  }

  /** undefined when the password was changed since it was looked at. */
  private async open(user: Credentials, origin: Origin): Promise<TokensDto | undefined> {
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
}

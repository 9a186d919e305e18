import { Database } from '@malipo/kit/database'
import { Problem } from '@malipo/kit/problem'
import { Inject, Injectable } from '@nestjs/common'
import { v7 as uuidV7 } from 'uuid'
import { type AuthEnv, ENV } from '../env.js'
import { PROBLEMS } from '../problems.js'
import { Tokens } from '../tokens/tokens.js'
import { effectiveScopes } from '../users/scopes.js'
import type { Credentials } from '../users/users.store.js'
import type { TokensDto } from './login.dto.js'
import { newRefreshToken, refreshTokenHash } from './refresh-token.js'
import { insertSession } from './sessions.store.js'
import { PasswordCheck } from './password-check.js'
import type { Attempt } from './throttle.js'

/** How long a session lives without being refreshed. */
const SESSION_SECONDS = 30 * 24 * 3600

/**
 * Sessions: a login opens one, its tokens carry its id and count while it lives. The answer to a login
 * leaves only once the session is in the database.
 */
@Injectable()
export class Sessions {
  constructor(
    private readonly passwords: PasswordCheck,
    private readonly tokens: Tokens,
    @Inject(Database) private readonly database: Database,
    @Inject(ENV) private readonly env: AuthEnv,
  ) {}

  /** @throws Problem 401 for a wrong phone or password alike, 429, 503 */
  async login(attempt: Attempt, password: string): Promise<TokensDto> {
    const user = await this.passwords.check(attempt, password)
    if (user) return this.open(user)
    throw new Problem(PROBLEMS.wrongCredentials, 'No account has this phone with this password.', {
      headers: { 'www-authenticate': 'Bearer' },
    })
  }

  private async open({ id: sub, scopes }: Credentials): Promise<TokensDto> {
    const sid = uuidV7()
    const refreshToken = newRefreshToken()
    const session = {
      id: sid,
      userId: sub,
      refreshTokenHash: refreshTokenHash(refreshToken),
      lifetimeSeconds: SESSION_SECONDS,
    }
    await this.database.write((run) => insertSession(run, session))
    const scope = effectiveScopes(scopes, this.env.MODE).join(' ')
    return {
      access_token: this.tokens.sign({ sub, sid, scope }),
      token_type: 'Bearer',
      expires_in: this.env.JWT_EXPIRES_IN,
      refresh_token: refreshToken,
    }
  }
}

import { Injectable } from '@nestjs/common'
import { PasswordCheck } from '../passwords/password-check.js'
import { wrongCredentials } from '../problems.js'
import type { Attempt } from '../rate-limit/login-rate-limit.js'
import { SessionsMetrics } from './sessions-metrics.js'
import type { TokensDto } from './sessions.dto.js'
import { SessionsService } from './sessions.service.js'

@Injectable()
export class LoginService {
  constructor(
    private readonly passwords: PasswordCheck,
    private readonly sessions: SessionsService,
    private readonly metrics: SessionsMetrics,
  ) {}

  /** Checks the password and opens a session. @throws Problem 401 for a wrong phone or password, 429, 503 */
  async login(attempt: Attempt, password: string): Promise<TokensDto> {
    const operation = async () => {
      const user = await this.passwords.check(attempt, password)
      const tokens = user && (await this.sessions.open(user, attempt.client.origin))
      if (!tokens) throw wrongCredentials()
      return tokens
    }
    return this.metrics.logins.count(operation, () => 'ok')
  }
}

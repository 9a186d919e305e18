import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { OutcomeCounter } from '../outcome-counter.js'
import { type Attempt, PasswordCheck } from '../passwords/password-check.js'
import { wrongCredentials } from '../problems.js'
import type { TokensDto } from './sessions.dto.js'
import { SessionsService } from './sessions.service.js'

@Injectable()
export class LoginService {
  private readonly logins

  constructor(
    private readonly passwords: PasswordCheck,
    private readonly sessions: SessionsService,
    @Inject(Registry) registry: Registry,
  ) {
    const metric = { name: 'logins_total', help: 'Logins by outcome' }
    this.logins = new OutcomeCounter(registry, metric, ['ok', 'wrong', 'throttled', 'failed'])
  }

  /** @throws Problem 401 for an unknown phone or a wrong password, 429, 503 */
  async login(attempt: Attempt, password: string): Promise<TokensDto> {
    const operation = async () => {
      const user = await this.passwords.check(attempt, password)
      const tokens = user && (await this.sessions.open(user, attempt.client.origin))
      if (!tokens) throw wrongCredentials()
      return tokens
    }
    return this.logins.count(operation, () => 'ok')
  }
}

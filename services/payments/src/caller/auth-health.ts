import { Dependencies } from '@malipo/kit/http/dependencies'
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { AuthClient } from './auth-client.js'
import { TokenCheck } from './token-check.js'

/** Reports auth in `/health`: without it, payments accepts only tokens that it already knows. */
@Injectable()
export class AuthHealth implements OnModuleInit {
  constructor(
    @Inject(Dependencies) private readonly dependencies: Dependencies,
    @Inject(AuthClient) private readonly auth: AuthClient,
    @Inject(TokenCheck) private readonly check: TokenCheck,
  ) {}

  onModuleInit() {
    this.dependencies.add('auth', () => this.problem())
  }

  private async problem(): Promise<string | undefined> {
    if (!(await this.auth.isReachable())) return 'unreachable'
    // Auth runs, but fails to validate tokens: its database may be unavailable.
    return this.check.isAuthCircuitOpen ? 'unavailable' : undefined
  }
}

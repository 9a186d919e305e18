import { versionOf } from '@malipo/kit/bootstrap'
import { setDefaultRegion } from '@malipo/kit/http/contact'
import { KitModule } from '@malipo/kit/kit.module'
import { type DynamicModule, Module } from '@nestjs/common'
import { ApiKeysController } from './api-keys/api-keys.controller.js'
import { ApiKeysService } from './api-keys/api-keys.service.js'
import { KeyCheck } from './api-keys/key-check.js'
import { KeyExpiry } from './api-keys/key-expiry.js'
import { KeyUses } from './api-keys/key-uses.js'
import { RecentLogin } from './api-keys/recent-login.js'
import { AuditController } from './audit/audit.controller.js'
import { dataSource } from './data-source.js'
import { type Env, ENV } from './env.js'
import { MerchantsController } from './merchants/merchants.controller.js'
import { MerchantsService } from './merchants/merchants.service.js'
import { PasswordHasher } from './passwords/hashing.js'
import { PasswordChangeService } from './passwords/password-change.service.js'
import { PasswordCheck } from './passwords/password-check.js'
import { PasswordController } from './passwords/password.controller.js'
import { AttemptCounter } from './rate-limit/attempt-counter.js'
import { LoginRateLimit } from './rate-limit/login-rate-limit.js'
import { NetworkRateLimits } from './rate-limit/network-rate-limits.js'
import { REDIS_ACCESS } from './redis-access.js'
import { RevocationPublisher } from './revocations/revocation-publisher.js'
import { RevocationRelay } from './revocations/revocation-relay.js'
import { RevocationsService } from './revocations/revocations.service.js'
import { LoginService } from './sessions/login.service.js'
import { RefreshKeys } from './sessions/refresh-keys.js'
import { RefreshService } from './sessions/refresh.service.js'
import { SessionSweeper } from './sessions/session-sweeper.js'
import { SessionsController } from './sessions/sessions.controller.js'
import { SessionsService } from './sessions/sessions.service.js'
import { TokenRotation } from './sessions/token-rotation.js'
import { SigningKeys } from './tokens/signing-keys.js'
import { TokensController } from './tokens/tokens.controller.js'
import { TokensService } from './tokens/tokens.service.js'
import { GrantsController } from './users/grants.controller.js'
import { GrantsService } from './users/grants.service.js'
import { OperatorGrants } from './users/operator-grants.js'
import { UsersController } from './users/users.controller.js'
import { UsersService } from './users/users.service.js'
import { ValidationController } from './validation/validation.controller.js'

@Module({})
export class AppModule {
  static readonly about = {
    name: 'auth',
    title: 'Malipo auth',
    description: 'Accounts, sessions, access tokens and API keys.',
    version: versionOf(import.meta.url),
  }

  static readonly exposedHeaders = ['Password-Strength', 'RateLimit', 'RateLimit-Policy']

  static with(env: Env): DynamicModule {
    setDefaultRegion(env.DEFAULT_REGION)
    return {
      module: AppModule,
      imports: [KitModule.with('auth', env, dataSource, { access: REDIS_ACCESS })],
      controllers: [
        UsersController,
        SessionsController,
        PasswordController,
        TokensController,
        GrantsController,
        AuditController,
        ValidationController,
        ApiKeysController,
        MerchantsController,
      ],
      providers: [
        { provide: ENV, useValue: env },
        SigningKeys,
        TokensService,
        AttemptCounter,
        LoginRateLimit,
        NetworkRateLimits,
        RevocationPublisher,
        RevocationRelay,
        RevocationsService,
        PasswordHasher,
        PasswordCheck,
        PasswordChangeService,
        SessionsService,
        LoginService,
        RefreshKeys,
        TokenRotation,
        RefreshService,
        SessionSweeper,
        UsersService,
        GrantsService,
        OperatorGrants,
        RecentLogin,
        ApiKeysService,
        KeyUses,
        KeyExpiry,
        KeyCheck,
        MerchantsService,
      ],
    }
  }
}

import { setDefaultRegion } from '@malipo/kit/http/contact'
import { KitModule } from '@malipo/kit/kit.module'
import { versionOf } from '@malipo/kit/config/release'
import { type DynamicModule, Module } from '@nestjs/common'
import { AuditController } from './audit/audit.controller.js'
import { Meters } from './audit/meters.js'
import { dataSource } from './data-source.js'
import { type AuthEnv, ENV } from './env.js'
import { Revocations } from './revocations/revocations.js'
import { Teller } from './revocations/teller.js'
import { Endings } from './sessions/endings.service.js'
import { Hashing } from './sessions/hashing.js'
import { PasswordChange } from './sessions/password-change.service.js'
import { PasswordCheck } from './sessions/password-check.js'
import { PasswordController } from './sessions/password.controller.js'
import { Refresh } from './sessions/refresh.service.js'
import { Rotations } from './sessions/rotations.js'
import { SessionsController } from './sessions/sessions.controller.js'
import { Sessions } from './sessions/sessions.service.js'
import { Throttle } from './throttle/throttle.js'
import { JwksController } from './tokens/jwks.controller.js'
import { Keys } from './tokens/keys.js'
import { TokenCheck } from './tokens/token-check.js'
import { TokensController } from './tokens/tokens.controller.js'
import { Tokens } from './tokens/tokens.js'
import { GrantsController } from './users/grants.controller.js'
import { Grants } from './users/grants.service.js'
import { UsersController } from './users/users.controller.js'
import { Users } from './users/users.service.js'

/** The whole service: who someone is (users), that they have come (sessions), what shows it (tokens). */
@Module({})
export class AppModule {
  static readonly about = {
    name: 'auth',
    title: 'Malipo auth',
    description: 'Accounts, logins and the check of tokens.',
    version: versionOf(import.meta.url),
  }

  static with(env: AuthEnv): DynamicModule {
    setDefaultRegion(env.DEFAULT_REGION)
    return {
      module: AppModule,
      imports: [KitModule.with('auth', env, dataSource)],
      controllers: [
        UsersController,
        SessionsController,
        PasswordController,
        TokensController,
        JwksController,
        GrantsController,
        AuditController,
      ],
      providers: [
        { provide: ENV, useValue: env },
        Users,
        Grants,
        Sessions,
        Refresh,
        Rotations,
        Endings,
        PasswordChange,
        Revocations,
        Teller,
        Meters,
        PasswordCheck,
        Hashing,
        Throttle,
        Keys,
        Tokens,
        TokenCheck,
      ],
    }
  }
}

import { Inject, Injectable } from '@nestjs/common'
import { JwtService, type JwtModuleOptions } from '@nestjs/jwt'
import { v4 as uuidV4 } from 'uuid'
import { type AuthEnv, ENV, jwtSecret } from '../env.js'
import { effectiveScopes } from '../users/scopes.js'
import { AUDIENCE, type Claims, claimsOf, ISSUER } from './claims.js'

/**
 * How tokens are signed and verified. The algorithm is ours: what a token's own header names only has to
 * be equal to it, so that neither `none` nor another algorithm is ever tried.
 */
export function jwtOptions(env: AuthEnv): JwtModuleOptions {
  return {
    secret: jwtSecret(env),
    signOptions: {
      algorithm: 'HS256',
      issuer: ISSUER,
      audience: AUDIENCE,
      expiresIn: env.JWT_EXPIRES_IN,
    },
    verifyOptions: { algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE },
  }
}

/** Whose session a token is to be of, and what was granted to its user: null is what the mode gives. */
export interface Bearing {
  sub: string
  sid: string
  scopes: readonly string[] | null
}

export interface AccessToken {
  access_token: string
  token_type: 'Bearer'
  expires_in: number
}

/** Access tokens: signed statements that a session may do something for a while. */
@Injectable()
export class Tokens {
  constructor(
    private readonly jwt: JwtService,
    @Inject(ENV) private readonly env: AuthEnv,
  ) {}

  sign({ sub, sid, scopes }: Bearing): AccessToken {
    const scope = effectiveScopes(scopes, this.env.MODE).join(' ')
    return {
      access_token: this.jwt.sign({ sub, sid, scope, jti: uuidV4() }),
      token_type: 'Bearer',
      expires_in: this.env.JWT_EXPIRES_IN,
    }
  }

  /** The claims of a token that we signed, for us, and that is not over; else undefined. */
  verify(token: string): Claims | undefined {
    try {
      return claimsOf(this.jwt.verify(token))
    } catch {
      return undefined
    }
  }
}

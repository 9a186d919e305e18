import { Inject, Injectable } from '@nestjs/common'
import { JwtService } from '@nestjs/jwt'
import { randomUUID } from 'node:crypto'
import { type Env, ENV } from '../env.js'
import { type Claims, claimsOf } from './claims.js'
import { effectiveScopes } from './scopes.js'
import { SigningKeys } from './signing-keys.js'

/** Subject of a new token; `scopes: null` means the mode's defaults. */
export interface TokenSubject {
  sub: string
  sid: string
  scopes: readonly string[] | null
}

export interface AccessToken {
  access_token: string
  token_type: 'Bearer'
  expires_in: number
}

/** Signs and verifies access tokens. */
@Injectable()
export class TokensService {
  constructor(
    private readonly jwt: JwtService,
    private readonly keys: SigningKeys,
    @Inject(ENV) private readonly env: Env,
  ) {}

  sign({ sub, sid, scopes }: TokenSubject): AccessToken {
    const { JWT_EXPIRES_IN: expiresIn, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = this.env
    const scope = effectiveScopes(scopes, this.env.MODE).join(' ')
    const { kid, algorithm } = this.keys.current()
    const options = { algorithm, issuer, audience, expiresIn, ...(kid && { keyid: kid }) }
    return {
      access_token: this.jwt.sign({ sub, sid, scope, jti: randomUUID() }, options),
      token_type: 'Bearer',
      expires_in: expiresIn,
    }
  }

  /** The claims of an unexpired token that we signed for our audience; otherwise undefined. */
  verify(token: string): Claims | undefined {
    const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = this.env
    try {
      return claimsOf(this.jwt.verify<object>(token, { issuer, audience }))
    } catch {
      return undefined
    }
  }
}

import { Inject, Injectable } from '@nestjs/common'
import jwt from 'jsonwebtoken'
import { v4 as uuidV4 } from 'uuid'
import { type AuthEnv, ENV } from '../env.js'
import { effectiveScopes } from '../users/scopes.js'
import { type Claims, claimsOf } from './claims.js'
import { Keys } from './keys.js'

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

/**
 * Access tokens: signed statements that a session may do something for a while. A token's header says with
 * which of our keys it was signed, and nothing else that is believed: the algorithm is the key's, so that
 * neither `none` nor a public key taken for a secret is ever tried.
 */
@Injectable()
export class Tokens {
  constructor(
    private readonly keys: Keys,
    @Inject(ENV) private readonly env: AuthEnv,
  ) {}

  sign({ sub, sid, scopes }: Bearing): AccessToken {
    const { JWT_EXPIRES_IN: expiresIn, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = this.env
    const scope = effectiveScopes(scopes, this.env.MODE).join(' ')
    const { kid, algorithm, signing } = this.keys.toSign()
    const options = { algorithm, issuer, audience, expiresIn, ...(kid && { keyid: kid }) }
    return {
      access_token: jwt.sign({ sub, sid, scope, jti: uuidV4() }, signing, options),
      token_type: 'Bearer',
      expires_in: expiresIn,
    }
  }

  /** The claims of a token that we signed, for us, and that is not over; else undefined. */
  verify(token: string): Claims | undefined {
    const key = this.keys.toVerify(token)
    if (!key) return undefined
    const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = this.env
    try {
      return claimsOf(
        jwt.verify(token, key.verifying, { algorithms: [key.algorithm], issuer, audience }),
      )
    } catch {
      return undefined
    }
  }
}

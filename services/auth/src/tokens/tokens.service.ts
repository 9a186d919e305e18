import { randomUUID } from 'node:crypto'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database, type Statement } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import { JwtService } from '@nestjs/jwt'
import { type Env, ENV } from '../env.js'
import { type Claims, claimsOf } from './claims.js'
import { effectiveScopes } from './scopes.js'
import { SigningKeys } from './signing-keys.js'
import type { PayloadDto } from './tokens.dto.js'

export type ValidatedClaims = PayloadDto

const SESSION_HOLDER: Statement = {
  name: 'session_holder',
  text: `
    SELECT users.phone, users.email
    FROM sessions
    JOIN users ON users.id = sessions.user_id
    WHERE sessions.id = $1
      AND sessions.user_id = $2
      AND sessions.revoked_at IS NULL
      AND sessions.expires_at > now()`,
}

/** Signs, verifies and validates access tokens. */
@Injectable()
export class TokensService {
  private readonly signer: JwtService
  private readonly verifier: JwtService

  constructor(
    private readonly keys: SigningKeys,
    @Inject(Database) private readonly database: Database,
    @Inject(ENV) private readonly env: Env,
  ) {
    const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience, JWT_EXPIRES_IN: expiresIn } = env
    this.signer = new JwtService({ signOptions: { issuer, audience, expiresIn } })
    this.verifier = new JwtService({
      verifyOptions: { issuer, audience, algorithms: ['ES256', 'HS256'] },
      secretOrKeyProvider: (_, token) => keys.verifying(token as string),
    })
  }

  /** `scopes: null` means the default scopes of the mode. */
  sign({ sub, sid, scopes }: { sub: string; sid: string; scopes: readonly string[] | null }) {
    const { signing, algorithm, kid } = this.keys.current()
    const scope = effectiveScopes(scopes, this.env.MODE).join(' ')
    const options = { privateKey: signing, algorithm, ...(kid && { keyid: kid }) }
    const iat = Math.floor(databaseNow() / 1000)
    return {
      access_token: this.signer.sign({ sub, sid, scope, jti: randomUUID(), iat }, options),
      token_type: 'Bearer' as const,
      expires_in: this.env.JWT_EXPIRES_IN,
    }
  }

  /** The claims of an unexpired token that auth signed for its audience; otherwise undefined. */
  verify(token: string): Claims | undefined {
    try {
      const clockTimestamp = Math.floor(databaseNow() / 1000)
      return claimsOf(this.verifier.verify<object>(token, { clockTimestamp }))
    } catch {
      return undefined
    }
  }

  /** Like `verify`, and requires an active session. @throws Problem 503 while the database is unavailable */
  async validate(token: string): Promise<ValidatedClaims | undefined> {
    const claims = this.verify(token)
    if (!claims) return undefined
    const [holder] = await this.database.read((run) =>
      run<Pick<PayloadDto, 'phone' | 'email'>>(SESSION_HOLDER, [claims.sid, claims.sub]),
    )
    return holder && { kind: 'token', merchant: claims.sub, ...claims, ...holder }
  }
}

import { Database } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import type { Claims } from './claims.js'
import { type Holder, holderOf } from './holder.store.js'
import { TokensService } from './tokens.service.js'

/** The claims of a valid token, and the phone and email of its holder. */
export type ValidatedClaims = Claims & Holder

/** Validates access tokens: signature, expiry, and an active session, which is read from the database. */
@Injectable()
export class TokenValidator {
  constructor(
    private readonly tokens: TokensService,
    @Inject(Database) private readonly database: Database,
  ) {}

  /**
   * @returns undefined for an invalid token
   * @throws Problem 503 while the database is unavailable: an outage never makes a token count as invalid
   */
  async validate(token: string): Promise<ValidatedClaims | undefined> {
    const claims = this.tokens.verify(token)
    if (!claims) return undefined
    const holder = await this.database.read((run) => holderOf(run, claims))
    return holder && { ...claims, ...holder }
  }
}

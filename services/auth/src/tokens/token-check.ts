import { Database } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import { type Holder, holderOf } from '../sessions/sessions.store.js'
import type { Claims } from './claims.js'
import { Tokens } from './tokens.js'

/** A token's claims and who holds it. */
export type Validated = Claims & Holder

/**
 * Whether a token counts: it must be ours and not over, and its session must live. The database is asked
 * each time, so that a session that has ended ends its tokens.
 */
@Injectable()
export class TokenCheck {
  constructor(
    private readonly tokens: Tokens,
    @Inject(Database) private readonly database: Database,
  ) {}

  /**
   * The token's claims with its holder's phone and email; undefined when it is not valid.
   *
   * @throws Problem 503 when the database can't say: doubt is not a no
   */
  async check(token: string): Promise<Validated | undefined> {
    const claims = this.tokens.verify(token)
    if (!claims) return undefined
    const holder = await this.database.read((run) => holderOf(run, claims))
    return holder && { ...claims, ...holder }
  }
}

import { Database } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import { revocationPending } from '../problems.js'
import { RevocationsService } from '../revocations/revocations.service.js'
import { type Revocation, revokeSession } from './revoke.store.js'

/**
 * Revokes sessions at their user's request. The response waits for Redis too: success means that every
 * replica of every service rejects the session's tokens.
 */
@Injectable()
export class SessionRevocationService {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly revocations: RevocationsService,
  ) {}

  /**
   * Revokes a session; a repeated request has the same result.
   *
   * @returns whether the user has or had the session
   * @throws Problem 503 while Redis is unavailable; the session is revoked nevertheless
   */
  async revoke(revocation: Revocation): Promise<boolean> {
    const revoked = await this.database.write((run) => revokeSession(run, revocation))
    if (!revoked) return false
    const { isNew, ...row } = revoked
    if (await this.revocations.publish(revocation.cause, row, isNew)) return true
    throw revocationPending()
  }
}

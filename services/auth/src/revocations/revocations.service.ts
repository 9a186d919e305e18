import { Database, type Run } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import { pendingRevocationsOf, type RevokedSession } from './outbox.store.js'
import { RevocationPublisher } from './revocation-publisher.js'
import { type Cause, RevocationsMetrics } from './revocations-metrics.js'

/** Counts revocations and publishes them to all services. */
@Injectable()
export class RevocationsService {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly publisher: RevocationPublisher,
    private readonly metrics: RevocationsMetrics,
  ) {}

  /**
   * Publishes a committed revocation. `isNew` is false for a repeated request, which is not counted.
   *
   * @returns false while Redis is unavailable; the relay then publishes the revocation later
   */
  async publish(cause: Cause, revoked: RevokedSession, isNew = true): Promise<boolean> {
    if (isNew) this.metrics.revoked(cause, 1)
    return this.publisher.publish([revoked])
  }

  /**
   * Runs a change that revokes a user's sessions, then publishes all of the user's pending revocations. The
   * change may be a retry, so they include those of an earlier attempt that could not be published.
   *
   * @param change returns the number of revoked sessions; undefined if the change does not apply
   * @returns whether all revocations are published, like `publish`; undefined if the change does not apply
   */
  async revokeBy(
    cause: Cause,
    userId: string,
    change: (run: Run, retried: boolean) => Promise<number | undefined>,
  ): Promise<boolean | undefined> {
    const count = await this.database.write(change)
    if (count === undefined) return undefined
    this.metrics.revoked(cause, count)
    const pending = await this.database.read((run) => pendingRevocationsOf(run, userId))
    return this.publisher.publish(pending)
  }
}

import { Database, type Run } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import { Revocations } from './revocations.js'
import { type Cause, RevocationsMetrics } from './revocations-metrics.js'
import { type Ended, untoldOf } from './untold.store.js'

/** Counts revocations and publishes them to all services. */
@Injectable()
export class RevocationsService {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly revocations: Revocations,
    private readonly metrics: RevocationsMetrics,
  ) {}

  /**
   * Publishes a committed revocation. `isNew` is false for a repeated request, which is not counted.
   *
   * @returns false while Redis is unavailable; the relay then publishes it later
   */
  async publish(cause: Cause, revoked: Ended, isNew = true): Promise<boolean> {
    if (isNew) this.metrics.revoked(cause, 1)
    return this.revocations.tell([revoked])
  }

  /**
   * Runs a change that revokes sessions of a user, and publishes the user's pending revocations. These
   * include those of an earlier attempt that could not be published: the change may be a retry of it.
   *
   * @param change returns the number of revoked sessions; undefined if the change does not apply
   * @returns whether all are published, as `publish`; undefined if the change does not apply
   */
  async revokeBy(
    cause: Cause,
    userId: string,
    change: (run: Run, retried: boolean) => Promise<number | undefined>,
  ): Promise<boolean | undefined> {
    const count = await this.database.write(change)
    if (count === undefined) return undefined
    this.metrics.revoked(cause, count)
    return this.revocations.tell(await this.database.read((run) => untoldOf(run, userId)))
  }
}

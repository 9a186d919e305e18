import { Database, type Run } from '@malipo/kit/postgres/database'
import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { pendingRevocationsOf, type RevokedSession } from './outbox.store.js'
import { RevocationPublisher } from './revocation-publisher.js'

const CAUSES = [
  'logout',
  'revoked',
  'password',
  'scopes',
  'refresh_reuse',
  'session_limit',
] as const
type Cause = (typeof CAUSES)[number]

/** Counts session revocations and publishes them to all services. */
@Injectable()
export class RevocationsService {
  private readonly revoked

  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly publisher: RevocationPublisher,
    @Inject(Registry) registry: Registry,
  ) {
    const metric = { name: 'revocations_total', help: 'Revoked sessions by cause', label: 'cause' }
    this.revoked = countBy(registry, metric, CAUSES)
  }

  /** Publishes a revocation and counts it if new. @returns false while Redis is down; the relay retries */
  async publish(cause: Cause, revoked: RevokedSession, isNew = true): Promise<boolean> {
    if (isNew) this.revoked[cause].inc()
    return this.publisher.publish([revoked])
  }

  /**
   * Runs a change (it returns the number of sessions that it revoked), then publishes the user's pending
   * revocations, including those of an earlier attempt. Returns undefined if the change does not apply.
   */
  async revokeBy(
    cause: Cause,
    userId: string,
    change: (run: Run, retried: boolean) => Promise<number | undefined>,
  ): Promise<boolean | undefined> {
    const count = await this.database.write(change)
    if (count === undefined) return undefined
    this.revoked[cause].inc(count)
    const pending = await this.database.read((run) => pendingRevocationsOf(run, userId))
    return this.publisher.publish(pending)
  }
}

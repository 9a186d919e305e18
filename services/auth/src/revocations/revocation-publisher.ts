import { Database } from '@malipo/kit/postgres/database'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Redis } from '@malipo/kit/redis/redis'
import {
  formatRevocation,
  REVOCATION_CHANNEL,
  revocationLifetimeSeconds,
} from '@malipo/kit/redis/session-revocation'
import { Inject, Injectable } from '@nestjs/common'
import { type Env, ENV } from '../env.js'
import { deletePublished, type RevokedSession } from './outbox.store.js'

/** Maximum number of revocations per Redis transaction, which blocks other clients of Redis. */
export const PUBLISH_BATCH_SIZE = 200

/**
 * Publishes revocations to Redis, so that every replica of every service rejects the sessions' access tokens.
 * If this fails, the relay publishes them from the outbox.
 */
@Injectable()
export class RevocationPublisher {
  /** How long a session's access tokens can outlive its revocation. */
  readonly lifetimeSeconds: number

  constructor(
    @Inject(Redis) private readonly redis: Redis,
    @Inject(Database) private readonly database: Database,
    @Inject(ENV) env: Pick<Env, 'JWT_EXPIRES_IN'>,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.lifetimeSeconds = revocationLifetimeSeconds(env.JWT_EXPIRES_IN)
  }

  /** @returns whether Redis acknowledged; true without Redis, because no service then caches tokens */
  async publish(revocations: readonly RevokedSession[]): Promise<boolean> {
    if (!this.redis.isConfigured) return true
    for (let i = 0; i < revocations.length; i += PUBLISH_BATCH_SIZE) {
      const batch = revocations.slice(i, i + PUBLISH_BATCH_SIZE)
      if (!(await this.publishBatch(batch))) return false
      // The response does not wait for this deletion; if it fails, the relay publishes the batch again.
      this.database
        .write((run) => deletePublished(run, batch))
        .catch((err: unknown) =>
          this.log.debug({ err }, 'published revocations stay in the outbox'),
        )
    }
    return true
  }

  /** Publishes at most `PUBLISH_BATCH_SIZE` revocations without deleting them from the outbox. */
  async publishBatch(revocations: readonly RevokedSession[]): Promise<boolean> {
    if (revocations.length === 0) return true
    const publications = revocations.map(({ sid, at }) =>
      formatRevocation({ sid, revokedAtMs: Date.parse(at) }, this.lifetimeSeconds),
    )
    return (await this.redis.setAndPublish(REVOCATION_CHANNEL, publications)) === 'OK'
  }
}

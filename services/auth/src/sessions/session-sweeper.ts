import { Database, type Statement } from '@malipo/kit/postgres/database'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'

/** Sessions are retained for 30 days after they expire, to explain old entries of the audit trail. */
const RETENTION_MS = 30 * 86_400_000
const BATCH_SIZE = 500

/**
 * Ids are UUIDv7, so the ids from before the cutoff are a range of the primary key. An index on
 * `expires_at` would make every refresh update all indexes of the table. Revoked sessions also expire.
 */
const DELETE_EXPIRED: Statement = {
  name: 'sessions_delete_expired',
  text: `
    WITH expired AS (
      SELECT id
      FROM sessions
      WHERE id < $1
        AND expires_at < $2
        AND NOT EXISTS (SELECT FROM revocation_outbox WHERE session_id = sessions.id)
      ORDER BY id
      LIMIT $3
      FOR UPDATE SKIP LOCKED
    )
    DELETE FROM sessions
    USING expired
    WHERE sessions.id = expired.id
    RETURNING sessions.id`,
}

/** Deletes sessions that expired long ago. A replica skips rows that another replica has locked. */
@Injectable()
export class SessionSweeper {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) workers: Workers,
  ) {
    workers.add({
      name: 'expired_sessions_sweep',
      intervalMs: 3_600_000,
      run: async () => ((await this.sweep()) < BATCH_SIZE ? undefined : 'more'),
    })
  }

  /** Deletes one batch. @returns the number of sessions that it deleted */
  async sweep(): Promise<number> {
    const cutoff = new Date(Date.now() - RETENTION_MS)
    const values = [minUuidAt(cutoff), cutoff, BATCH_SIZE]
    return (await this.database.write((run) => run(DELETE_EXPIRED, values))).length
  }
}

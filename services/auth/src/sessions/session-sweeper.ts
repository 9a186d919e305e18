import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database, type Statement } from '@malipo/kit/postgres/database'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { DEVICE_TOKEN_DAYS } from '../tokens/device-token.js'

const DAY_MS = 86_400_000
/** Sessions are retained for 30 days after they expire, to explain old entries of the audit trail. */
const RETENTION_MS = 30 * DAY_MS
const BATCH_SIZE = 500

/**
 * Ids are UUIDv7, and a session is not used before it is opened. So the sessions that were last used before the
 * cutoff are in a range of the primary key, which has few others. An index on `expires_at` would make every
 * refresh update all indexes of the table. Revoked sessions also expire.
 */
const DELETE_EXPIRED: Statement = {
  name: 'sessions_delete_expired',
  text: `
    WITH expired AS (
      SELECT id
      FROM sessions
      WHERE id < $1
        AND expires_at < $2::timestamptz
        AND last_used_at < $4::timestamptz
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

/** Deletes sessions that expired long ago and whose device tokens have expired. A replica skips rows that another replica has locked. */
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
    const cutoff = new Date(databaseNow() - RETENTION_MS)
    const deviceTokensExpired = new Date(databaseNow() - DEVICE_TOKEN_DAYS * DAY_MS)
    const times = [cutoff.toISOString(), BATCH_SIZE, deviceTokensExpired.toISOString()]
    const values = [minUuidAt(deviceTokensExpired), ...times]
    return (await this.database.write((run) => run(DELETE_EXPIRED, values))).length
  }
}

import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database, type Statement } from '@malipo/kit/postgres/database'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'

/** How long keys are stored. The contract promises 24 hours; twice that allows for clock differences. */
const RETENTION_MS = 48 * 3_600_000
const INTERVAL_MS = 600_000
const BATCH_SIZE = 1_000

const DELETE: Statement = {
  name: 'idempotency_keys_delete',
  text: `
WITH expired AS (
  SELECT caller, route, key
  FROM idempotency_keys
  WHERE created_at < $1::timestamptz
  ORDER BY created_at
  LIMIT $2
  FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys
USING expired
WHERE (idempotency_keys.caller, idempotency_keys.route, idempotency_keys.key)
  = (expired.caller, expired.route, expired.key)
RETURNING true AS deleted`,
}

/** Deletes expired idempotency keys in batches. A replica skips rows that another replica has locked. */
@Injectable()
export class KeySweeper {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) workers: Workers,
  ) {
    workers.add({
      name: 'idempotency_keys_sweep',
      role: 'worker',
      intervalMs: INTERVAL_MS,
      run: async () => ((await this.sweep()) < BATCH_SIZE ? undefined : 'more'),
    })
  }

  /** Deletes one batch and returns the number of deleted keys. */
  async sweep(now = databaseNow()): Promise<number> {
    const before = new Date(now - RETENTION_MS).toISOString()
    return (await this.database.write((run) => run(DELETE, [before, BATCH_SIZE]))).length
  }
}

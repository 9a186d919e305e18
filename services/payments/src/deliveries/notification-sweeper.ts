import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database, type Statement } from '@malipo/kit/postgres/database'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'

/** The injection token of the retention, in days. */
export const RETENTION_DAYS = Symbol('retention of notifications')

const DAY_MS = 86_400_000
const INTERVAL_MS = 600_000
const BATCH_SIZE = 500

/** A notification that an enabled endpoint still has to get is not deleted. */
const DELETE: Statement = {
  name: 'notifications_delete',
  text: `
WITH expired AS MATERIALIZED (
  SELECT notification.id
  FROM notifications AS notification
  WHERE created_at < $1::timestamptz
    AND NOT EXISTS (
      SELECT
      FROM deliveries AS delivery
      JOIN delivery_work AS work ON work.delivery_id = delivery.id
      JOIN webhook_endpoints AS endpoint ON endpoint.id = work.endpoint_id
      WHERE delivery.notification_id = notification.id AND endpoint.state = 'enabled'
    )
  ORDER BY created_at
  LIMIT $2
  FOR UPDATE OF notification SKIP LOCKED
), delivered AS (
  DELETE FROM deliveries USING expired WHERE notification_id = expired.id
  RETURNING deliveries.id
), tries AS (
  DELETE FROM delivery_tries USING delivered WHERE delivery_id = delivered.id
), work AS (
  DELETE FROM delivery_work USING delivered WHERE delivery_id = delivered.id
)
DELETE FROM notifications USING expired WHERE notifications.id = expired.id
RETURNING true AS deleted`,
}

/** Deletes notifications with their deliveries at the end of their retention, in batches. */
@Injectable()
export class NotificationSweeper {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(RETENTION_DAYS) private readonly retentionDays: number,
  ) {
    workers.add({
      name: 'notifications_sweep',
      role: 'worker',
      intervalMs: INTERVAL_MS,
      run: async () => ((await this.sweep()) < BATCH_SIZE ? undefined : 'more'),
    })
  }

  /** Deletes one batch and returns the number of deleted notifications. */
  async sweep(now = databaseNow()): Promise<number> {
    const before = new Date(now - this.retentionDays * DAY_MS).toISOString()
    return (await this.database.write((run) => run(DELETE, [before, BATCH_SIZE]))).length
  }
}

import { Database, type Statement } from '@malipo/kit/postgres/database'
import { transactionLease } from '@malipo/kit/postgres/lease'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { DELIVERY_SCALE } from './delivery-runner.js'

const INTERVAL_MS = 60_000
const DAY_SECONDS = 86_400
/** The merchant is notified after each of these days without a 2xx. */
const WARNING_DAYS = [1, 3] as const
/** The endpoint is disabled after this time, and after tries on two days. Svix has the same rule. */
const DISABLED_AFTER_DAYS = 5
const DISABLED_AFTER_TRIES = 20
const CANCEL_BATCH = 1_000

const WARN: Statement = {
  name: 'endpoints_warn',
  text: `
UPDATE webhook_endpoint_health AS health
SET warnings = reached
FROM (
  SELECT endpoint_id, count(*)::smallint AS reached
  FROM webhook_endpoint_health AS failing
  JOIN webhook_endpoints AS endpoint ON endpoint.id = endpoint_id
  CROSS JOIN (VALUES ${WARNING_DAYS.map((days) => `(${days * DAY_SECONDS})`).join(', ')}) AS warning (seconds)
  WHERE state = 'enabled' AND failing_since <= now() - make_interval(secs => seconds * $1::float8)
  GROUP BY endpoint_id
) AS late
WHERE health.endpoint_id = late.endpoint_id AND health.warnings < reached`,
}

const DISABLE: Statement = {
  name: 'endpoints_disable',
  text: `
UPDATE webhook_endpoints AS endpoint
SET state = 'disabled', disabled_reason = 'failing', updated_at = now(), version = version + 1
FROM webhook_endpoint_health AS health
WHERE health.endpoint_id = endpoint.id
  AND state = 'enabled'
  AND failing_since <= now() - make_interval(secs => ${DISABLED_AFTER_DAYS * DAY_SECONDS} * $1::float8)
  AND failed_tries >= ${DISABLED_AFTER_TRIES}
  AND last_failure_at >= failing_since + make_interval(secs => ${DAY_SECONDS} * $1::float8)`,
}

/** A claim skips the work of deleted endpoints, as it does that of disabled ones. */
const CANCEL: Statement = {
  name: 'deliveries_cancel',
  text: `
WITH cancelled AS (
  SELECT delivery_id
  FROM webhook_endpoints AS endpoint
  JOIN delivery_work AS work ON work.endpoint_id = endpoint.id
  WHERE state = 'deleted'
  LIMIT ${CANCEL_BATCH}
  FOR UPDATE OF work SKIP LOCKED
), removed AS (
  DELETE FROM delivery_work AS work USING cancelled WHERE work.delivery_id = cancelled.delivery_id
)
UPDATE deliveries
SET state = 'cancelled', failed_at = now()
FROM cancelled
WHERE id = delivery_id AND state = 'pending'
RETURNING true AS cancelled`,
}

/** Warns merchants of endpoints that fail, disables those that fail for days, and cancels what was for deleted ones. */
@Injectable()
export class EndpointCare {
  constructor(
    @Inject(Database) database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(DELIVERY_SCALE) scale: number,
  ) {
    workers.add({
      name: 'endpoint_care',
      role: 'worker',
      intervalMs: Math.max(1_000, INTERVAL_MS * scale),
      lease: transactionLease(database, 'endpoint_care'),
      run: async (run) => {
        await run(WARN, [scale])
        await run(DISABLE, [scale])
        return (await run(CANCEL, [])).length < CANCEL_BATCH ? undefined : 'more'
      },
    })
  }
}

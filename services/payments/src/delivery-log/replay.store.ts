import type { Run, Statement } from '@malipo/kit/postgres/database'
import { MAX_TRIES_BEFORE_RESEND } from '../deliveries/limits.js'
import { restartWork } from '../deliveries/work.statement.js'

/** The most deliveries of a replay. */
export const MAX_REPLAYED = 10_000
/** The most notifications that a replay looks at. */
export const MAX_CANDIDATES = 100_000

export interface Replay {
  readonly endpointId: string
  readonly ownerId: string
  readonly operationId: string
  /** Inclusive, ISO 8601. */
  readonly from: string
  /** Exclusive, ISO 8601. */
  readonly to: string
  /** Undefined: every type that the endpoint has subscribed to. */
  readonly types: readonly string[] | undefined
  /** Whether delivered notifications are sent again. */
  readonly delivered: boolean
}

/** How many deliveries are due now. */
export type ReplayResult = number | 'not_found' | 'not_enabled' | 'too_many'

/*
 * Notifications are locked before deliveries, as by their deletion, which skips them then; deliveries in the order of
 * their ids, as the results of tries. The condition on their state is evaluated again under the lock. After that, new
 * ones are inserted in the order of notifications, so that concurrent replays do not deadlock. Reading `resent` in `made`
 * has the locks taken first.
 */
const REPLAY: Statement = {
  name: 'endpoint_replay',
  text: `
WITH endpoint AS MATERIALIZED (
  SELECT id, owner_id, events, state = 'enabled' AS is_enabled
  FROM webhook_endpoints
  WHERE id = $1 AND owner_id = $2 AND state <> 'deleted'
), candidates AS MATERIALIZED (
  SELECT notification.id, notification.created_at
  FROM endpoint
  JOIN notifications AS notification ON notification.owner_id = endpoint.owner_id
  WHERE is_enabled
    AND notification.created_at >= $4::timestamptz
    AND notification.created_at < $5::timestamptz
    AND notification.type <> 'ping'
    AND notification.subject_id <> endpoint.id
    AND is_subscribed(events, notification.type)
    AND coalesce(notification.type = ANY ($6::text[]), true)
  LIMIT ${MAX_CANDIDATES + 1}
), matched AS MATERIALIZED (
  SELECT candidates.*, delivery.id AS delivery_id
  FROM candidates
  LEFT JOIN deliveries AS delivery
    ON delivery.notification_id = candidates.id AND delivery.endpoint_id = $1
  WHERE (SELECT count(*) FROM candidates) <= ${MAX_CANDIDATES}
    AND (
      delivery.id IS NULL
      OR delivery.state = ANY ($7::text[]) AND delivery.tries < ${MAX_TRIES_BEFORE_RESEND}
    )
  LIMIT ${MAX_REPLAYED + 1}
), accepted AS MATERIALIZED (
  SELECT matched.*
  FROM matched
  JOIN notifications AS notification ON notification.id = matched.id
  WHERE (SELECT count(*) FROM matched) <= ${MAX_REPLAYED}
  FOR KEY SHARE OF notification
), locked AS MATERIALIZED (
  SELECT delivery.id
  FROM accepted
  JOIN deliveries AS delivery ON delivery.id = accepted.delivery_id
  WHERE delivery.state = ANY ($7::text[])
  ORDER BY delivery.id
  FOR NO KEY UPDATE OF delivery
), resent AS (
  UPDATE deliveries
  SET state = 'pending', failed_at = NULL, resend_id = $3::uuid
  FROM locked
  WHERE deliveries.id = locked.id
  RETURNING deliveries.id, deliveries.endpoint_id
), made AS (
  INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at, resend_id)
  SELECT uuidv7(), accepted.id, $1, 'pending', now(), $3::uuid
  FROM accepted
  WHERE delivery_id IS NULL AND (SELECT count(*) FROM resent) IS NOT NULL
  ORDER BY accepted.created_at, accepted.id
  ON CONFLICT ON CONSTRAINT deliveries_notification_key DO NOTHING
  RETURNING id, endpoint_id
), replayed AS (
  SELECT * FROM resent UNION ALL SELECT * FROM made
), due AS (${restartWork('replayed', '$3::uuid')}
)
SELECT
  is_enabled AS "isEnabled",
  (SELECT count(*) FROM candidates) > ${MAX_CANDIDATES}
    OR (SELECT count(*) FROM matched) > ${MAX_REPLAYED} AS "isTooMany",
  ((SELECT count(*) FROM resent) + (SELECT count(*) FROM made))::integer AS deliveries
FROM endpoint`,
}

const REPLAYED: Statement = {
  name: 'endpoint_replayed',
  text: `
SELECT count(*)::integer AS deliveries
FROM notifications AS notification
JOIN deliveries AS delivery ON delivery.notification_id = notification.id
WHERE notification.owner_id = $2
  AND notification.created_at >= $4::timestamptz
  AND notification.created_at < $5::timestamptz
  AND delivery.endpoint_id = $1
  AND delivery.resend_id = $3`,
}

/**
 * Makes deliveries of notifications that the endpoint has none of, and resends those that ended.
 *
 * @param retried whether an earlier attempt of this replay may have been committed
 */
export async function replayNotifications(
  run: Run,
  replay: Replay,
  retried: boolean,
): Promise<ReplayResult> {
  const { endpointId, ownerId, operationId, from, to, types, delivered } = replay
  const range = [endpointId, ownerId, operationId, from, to]
  if (retried) {
    const [earlier] = await run<{ deliveries: number }>(REPLAYED, range)
    if (earlier && earlier.deliveries > 0) return earlier.deliveries
  }
  const states = delivered ? ['failed', 'cancelled', 'delivered'] : ['failed', 'cancelled']
  const [row] = await run<{ isEnabled: boolean; isTooMany: boolean; deliveries: number }>(REPLAY, [
    ...range,
    types ?? null,
    states,
  ])
  if (!row) return 'not_found'
  if (!row.isEnabled) return 'not_enabled'
  return row.isTooMany ? 'too_many' : row.deliveries
}

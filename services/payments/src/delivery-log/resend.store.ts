import type { Run, Statement } from '@malipo/kit/postgres/database'
import { MAX_TRIES_BEFORE_RESEND } from '../deliveries/limits.js'
import { restartWork } from '../deliveries/work.statement.js'

export interface Resend {
  readonly deliveryId: string
  readonly ownerId: string
  readonly operationId: string
}

/** What came of a resend. Only `resent` changes anything. */
export type ResendResult = 'resent' | 'not_found' | 'not_enabled' | 'exhausted'

/*
 * The notification is locked before the delivery, as by its deletion, which skips it then. While a try is under way, its
 * result makes the resent one due.
 */
const RESEND: Statement = {
  name: 'delivery_resend',
  text: `
WITH notification AS MATERIALIZED (
  SELECT notification.id
  FROM deliveries AS delivery
  JOIN notifications AS notification ON notification.id = delivery.notification_id
  WHERE delivery.id = $1 AND notification.owner_id = $2
  FOR KEY SHARE OF notification
), target AS MATERIALIZED (
  SELECT
    delivery.id,
    delivery.endpoint_id,
    endpoint.state = 'enabled' AS is_enabled,
    delivery.tries >= ${MAX_TRIES_BEFORE_RESEND} AS is_exhausted,
    delivery.resend_id IS NOT DISTINCT FROM $3::uuid AS is_own
  FROM notification
  JOIN deliveries AS delivery ON delivery.notification_id = notification.id
  JOIN webhook_endpoints AS endpoint ON endpoint.id = delivery.endpoint_id
  WHERE delivery.id = $1 AND endpoint.state <> 'deleted'
  FOR NO KEY UPDATE OF delivery
), resent AS (
  UPDATE deliveries
  SET state = 'pending', failed_at = NULL, resend_id = $3::uuid
  FROM target
  WHERE deliveries.id = target.id AND is_enabled AND NOT is_exhausted AND NOT is_own
  RETURNING deliveries.id, deliveries.endpoint_id
), due AS (${restartWork('resent', '$3::uuid')}
)
SELECT
  CASE
    WHEN is_own THEN 'resent'
    WHEN NOT is_enabled THEN 'not_enabled'
    WHEN is_exhausted THEN 'exhausted'
    ELSE 'resent'
  END AS result
FROM target`,
}

/** Makes a delivery due at once, with a new schedule. An earlier attempt of this write is found by the operation id. */
export async function resendDelivery(
  run: Run,
  { deliveryId, ownerId, operationId }: Resend,
): Promise<ResendResult> {
  const [row] = await run<{ result: ResendResult }>(RESEND, [deliveryId, ownerId, operationId])
  return row?.result ?? 'not_found'
}

import type { Run, Statement } from '@malipo/kit/postgres/database'

export interface Ping {
  readonly endpointId: string
  readonly ownerId: string
  readonly notificationId: string
  readonly deliveryId: string
  readonly body: string
  /** ISO 8601. */
  readonly at: string
}

const PING: Statement = {
  name: 'endpoint_ping',
  text: `
WITH endpoint AS MATERIALIZED (
  SELECT id, owner_id, version, state
  FROM webhook_endpoints
  WHERE id = $1 AND owner_id = $2 AND state <> 'deleted'
), notification AS (
  INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, body, created_at)
  SELECT $3, owner_id, 'ping', id, version, $5, $6::timestamptz
  FROM endpoint
  WHERE state = 'enabled'
  ON CONFLICT ON CONSTRAINT notifications_pkey DO NOTHING
  RETURNING id, subject_id
), delivery AS (
  INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at)
  SELECT $4, id, subject_id, 'pending', now()
  FROM notification
  RETURNING id, endpoint_id
), due AS (
  INSERT INTO delivery_work (delivery_id, endpoint_id, due_at)
  SELECT id, endpoint_id, now()
  FROM delivery
)
SELECT state = 'enabled' OR EXISTS (SELECT FROM notifications WHERE id = $3) AS "isSent"
FROM endpoint`,
}

/**
 * Notifies an endpoint of a test, whatever it has subscribed to. An earlier attempt of this write is found by the id.
 *
 * @returns whether the endpoint is enabled; undefined if the merchant has no such endpoint
 */
export async function pingEndpoint(run: Run, ping: Ping): Promise<boolean | undefined> {
  const { endpointId, ownerId, notificationId, deliveryId, body, at } = ping
  const values = [endpointId, ownerId, notificationId, deliveryId, body, at]
  return (await run<{ isSent: boolean }>(PING, values))[0]?.isSent
}

/**
 * Backlogs of deliveries, inserted by SQL: the same rows as the trigger on payment_events writes, without bodies, so
 * that the first delivery of each notification builds it from a payment's version.
 *
 * @typedef {import('pg').Client} Client
 */

/**
 * Inserts notifications of an owner, and a due delivery of each to every endpoint.
 *
 * @param {Client} database
 * @param {{ ownerId: string, endpoints: string[], count: number }} backlog `endpoints` are ids
 */
export async function insertBacklog(database, { ownerId, endpoints, count }) {
  await database.query(
    `WITH subject AS MATERIALIZED (
       SELECT payment_id, version, row_number() OVER () - 1 AS nth, count(*) OVER () AS total
       FROM (SELECT payment_id, version FROM payment_events WHERE from_status IS NOT NULL LIMIT 1000) AS event
     ), notified AS (
       INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, created_at)
       SELECT uuidv7(), $1, 'payment.pending', payment_id, version, now()
       FROM generate_series(0, $3 - 1) AS n
       JOIN subject ON subject.nth = n % total
       RETURNING id
     ), delivery AS (
       INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at)
       SELECT uuidv7(), notified.id, endpoint_id, 'pending', now()
       FROM notified, unnest($2::uuid[]) AS endpoint_id
       RETURNING id, endpoint_id
     )
     INSERT INTO delivery_work (delivery_id, endpoint_id, due_at)
     SELECT id, endpoint_id, now() FROM delivery`,
    [ownerId, endpoints, count],
  )
}

/** @param {Client} database @param {string[]} endpoints ids @param {boolean} isEnabled */
export async function enable(database, endpoints, isEnabled) {
  await database.query(
    `UPDATE webhook_endpoints
     SET state = $2, disabled_reason = CASE WHEN $2 = 'disabled' THEN 'merchant' END
     WHERE id = ANY ($1) AND state <> $2`,
    [endpoints, isEnabled ? 'enabled' : 'disabled'],
  )
}

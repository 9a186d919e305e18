import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { EventType } from '../notifications/events.js'
import { ENDPOINTS_WITH_WORK } from './work.statement.js'
import { CIRCUIT_FAILURES, FIRST_PAUSE_SECONDS, MAX_PER_ENDPOINT } from './limits.js'

/**
 * Claims the deliveries that are due, endpoint by endpoint, so that a backlog of one endpoint hides no other. Slots are
 * shared by merchants in turn, then by their endpoints. Replicas never wait for one another.
 */

export interface ClaimRequest {
  /** How many tries the replica can begin now. */
  readonly free: number
  /** How many of them at slow endpoints. */
  readonly freeSlow: number
  readonly leaseId: string
  readonly leaseSeconds: number
  /** The tries that this replica makes now. */
  readonly busy: readonly BusyEndpoint[]
}

export interface BusyEndpoint {
  readonly endpointId: string
  readonly ownerId: string
  readonly tries: number
}

/** A claimed delivery, with what its try is made from. */
export interface ClaimedDelivery {
  readonly deliveryId: string
  readonly endpointId: string
  readonly ownerId: string
  readonly url: string
  readonly isSlow: boolean
  readonly notificationId: string
  readonly type: EventType
  readonly subjectId: string
  readonly subjectVersion: number
  /** ISO 8601. */
  readonly occurredAt: string
  /** Null until the first delivery builds it. */
  readonly body: string | null
  /** The tries of this schedule, including this one. */
  readonly tries: number
  /** The operation that began this schedule; null for the first one. */
  readonly resendId: string | null
}

/** A replica claims no row whose format it does not know: a later release may have written it. */
const FORMAT = 1

const CLAIMED = `
  work.delivery_id AS "deliveryId",
  work.endpoint_id AS "endpointId",
  endpoint.owner_id AS "ownerId",
  endpoint.url,
  health.is_slow AS "isSlow",
  notification.id AS "notificationId",
  notification.type,
  notification.subject_id AS "subjectId",
  notification.subject_version AS "subjectVersion",
  ${isoTime('notification.created_at')} AS "occurredAt",
  notification.body,
  work.tries,
  work.resend_id AS "resendId"`

const JOINS = `
JOIN deliveries AS delivery ON delivery.id = work.delivery_id
JOIN notifications AS notification ON notification.id = delivery.notification_id
JOIN webhook_endpoints AS endpoint ON endpoint.id = work.endpoint_id
JOIN webhook_endpoint_health AS health ON health.endpoint_id = work.endpoint_id`

/*
 * The rows are locked after the choice, by their place in the table. Those that another replica has claimed meanwhile are
 * skipped, by SKIP LOCKED before its commit, and because they are not due after it.
 */
const CLAIM: Statement = {
  name: 'delivery_claim',
  text: `
WITH RECURSIVE parameters AS (
  SELECT
    $1::integer AS free, $2::integer AS free_slow, $3::uuid AS lease_id, $4::float8 AS lease_seconds
), busy AS MATERIALIZED (
  SELECT *
  FROM json_to_recordset($5) AS busy ("endpointId" uuid, "ownerId" uuid, tries integer)
), head AS (${ENDPOINTS_WITH_WORK}
), ready AS MATERIALIZED (
  SELECT
    endpoint.id,
    endpoint.owner_id,
    health.is_slow,
    health.failures >= ${CIRCUIT_FAILURES} AS is_probe,
    coalesce(busy.tries, 0) AS running,
    CASE WHEN health.failures >= ${CIRCUIT_FAILURES} THEN 1 ELSE ${MAX_PER_ENDPOINT} END
      - coalesce(busy.tries, 0) AS room
  FROM parameters
  CROSS JOIN head
  JOIN webhook_endpoints AS endpoint ON endpoint.id = head.endpoint_id
  JOIN webhook_endpoint_health AS health ON health.endpoint_id = endpoint.id
  LEFT JOIN busy ON busy."endpointId" = endpoint.id
  WHERE endpoint.state = 'enabled'
    AND health.open_until <= now()
    AND (free_slow > 0 OR NOT health.is_slow)
), due AS MATERIALIZED (
  SELECT ready.*, work.tid, work.due_at, work.nth
  FROM ready
  CROSS JOIN LATERAL (
    SELECT tid, due_at, row_number() OVER (ORDER BY due_at) AS nth
    FROM (
      SELECT ctid AS tid, due_at
      FROM delivery_work
      WHERE endpoint_id = ready.id AND due_at <= now() AND format <= ${FORMAT}
      ORDER BY due_at
      LIMIT greatest(ready.room, 0)
    ) AS first_due
  ) AS work
), ranked AS (
  SELECT
    tid,
    due_at,
    is_slow,
    row_number() OVER (PARTITION BY owner_id, is_slow ORDER BY running + nth, due_at)
      + coalesce((SELECT sum(tries) FROM busy WHERE busy."ownerId" = due.owner_id), 0) AS turn
  FROM due
), slow AS MATERIALIZED (
  SELECT tid
  FROM ranked
  WHERE is_slow
  ORDER BY turn, due_at
  LIMIT (SELECT least(free, free_slow) FROM parameters)
), chosen AS (
  SELECT tid FROM slow
  UNION ALL
  (
    SELECT tid
    FROM ranked
    WHERE NOT is_slow
    ORDER BY turn, due_at
    LIMIT (SELECT free - (SELECT count(*) FROM slow) FROM parameters)
  )
), locked AS MATERIALIZED (
  -- By key, the planner may choose to read the table as a whole, with all its dead rows.
  SELECT ctid AS tid
  FROM delivery_work
  WHERE ctid = ANY (ARRAY(SELECT tid FROM chosen)) AND due_at <= now()
  FOR NO KEY UPDATE SKIP LOCKED
), leased AS (
  UPDATE delivery_work AS work
  SET
    lease_id = parameters.lease_id,
    due_at = now() + make_interval(secs => lease_seconds),
    tries = tries + 1
  FROM parameters
  WHERE work.ctid = ANY (ARRAY(SELECT tid FROM locked))
  RETURNING work.*
), probed AS (
  -- One try at a time, of all replicas, shows whether the endpoint is up again.
  UPDATE webhook_endpoint_health AS health
  SET open_until = now() + make_interval(secs => ${FIRST_PAUSE_SECONDS})
  FROM ready
  WHERE ready.is_probe
    AND health.endpoint_id = ready.id
    AND health.endpoint_id IN (SELECT endpoint_id FROM leased)
)
SELECT ${CLAIMED}
FROM leased AS work${JOINS}`,
}

const FIND_LEASED: Statement = {
  name: 'delivery_find_leased',
  text: `
SELECT ${CLAIMED}
FROM delivery_work AS work${JOINS}
WHERE work.lease_id = $1`,
}

/** Claims deliveries: after a lost connection, those that an earlier attempt of this claim has taken. */
export async function claimDeliveries(
  run: Run,
  { free, freeSlow, leaseId, leaseSeconds, busy }: ClaimRequest,
  retried: boolean,
): Promise<ClaimedDelivery[]> {
  if (retried) {
    const own = await run<ClaimedDelivery>(FIND_LEASED, [leaseId])
    if (own.length > 0) return own
  }
  const values = [free, freeSlow, leaseId, leaseSeconds, JSON.stringify(busy)]
  return run<ClaimedDelivery>(CLAIM, values)
}

// A delivery that was resent meanwhile has no tries.
const RELEASE: Statement = {
  name: 'delivery_release',
  text: `
UPDATE delivery_work
SET lease_id = NULL, due_at = now(), tries = greatest(tries - 1, 0)
WHERE delivery_id = $1 AND lease_id = $2`,
}

/** Makes a claimed delivery due at once, whose try was not made, or was aborted. */
export async function releaseDelivery(run: Run, deliveryId: string, leaseId: string) {
  await run(RELEASE, [deliveryId, leaseId])
}

import type { Run, Statement } from '@malipo/kit/postgres/database'
import { CIRCUIT_FAILURES, FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS } from './limits.js'
import type { DeliveryState } from './states.js'
import { type TryVerdict, UNREADABLE_SECRET } from './try-verdict.js'

/** Stores the results of tries, and what follows for their deliveries and endpoints. */

export interface RecordedTry extends TryVerdict {
  readonly deliveryId: string
  readonly endpointId: string
  /** Unique for the try: a repeated statement stores it once. */
  readonly operationId: string
  readonly leaseId: string
  /** Of the claimed delivery. */
  readonly resendId: string | null
  readonly at: Date
  /** Undefined after the last try. */
  readonly nextSeconds: number | undefined
  /** Factor of the pauses of the circuit. */
  readonly scale: number
}

/*
 * A result counts also after the end of its lease: the endpoint has the notification. The result of a try that began
 * before the delivery was resent does not: the resent try follows at once. Deliveries are locked in the order of their
 * ids. The health of an endpoint is locked only if it changes.
 */
const RECORD: Statement = {
  name: 'delivery_record',
  text: `
WITH input AS MATERIALIZED (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, delivery_id uuid, endpoint_id uuid, operation_id uuid, lease_id uuid, resend_id uuid,
    at timestamptz(3), took_ms integer, outcome text, status smallint, error text, answer text,
    next_seconds float8, breaks_circuit boolean, is_slow boolean, scale float8
  )
), target AS MATERIALIZED (
  SELECT
    input.*,
    delivery.state,
    delivery.tries,
    input.resend_id IS NOT DISTINCT FROM delivery.resend_id AS is_current
  FROM input
  JOIN deliveries AS delivery ON delivery.id = input.delivery_id
  WHERE NOT EXISTS (
    SELECT
    FROM delivery_tries AS earlier
    WHERE earlier.delivery_id = delivery.id AND earlier.operation_id = input.operation_id
  )
  ORDER BY delivery.id
  FOR NO KEY UPDATE OF delivery
), judged AS MATERIALIZED (
  SELECT *,
    CASE
      WHEN state = 'pending' AND NOT is_current THEN 'pending'
      WHEN outcome = 'delivered' OR state = 'delivered' THEN 'delivered'
      WHEN state = 'pending' AND (outcome = 'gone' OR next_seconds IS NULL) THEN 'failed'
      ELSE state
    END AS new_state
  FROM target
), tried AS (
  INSERT INTO delivery_tries (delivery_id, nth, operation_id, at, took_ms, status, error, answer)
  SELECT delivery_id, tries + 1, operation_id, at, took_ms, status, error, answer
  FROM judged
), changed AS (
  UPDATE deliveries
  SET
    state = new_state,
    tries = judged.tries + 1,
    last_status = status,
    last_error = error,
    failed_at = CASE
      WHEN new_state = 'failed' THEN coalesce(failed_at, now())
      WHEN new_state = 'cancelled' THEN failed_at
    END,
    delivered_at = CASE WHEN outcome = 'delivered' THEN coalesce(delivered_at, at) ELSE delivered_at END
  FROM judged
  WHERE deliveries.id = judged.delivery_id
), removed AS (
  DELETE FROM delivery_work AS work
  USING judged
  WHERE work.delivery_id = judged.delivery_id AND new_state <> 'pending'
), rescheduled AS (
  UPDATE delivery_work AS work
  SET
    lease_id = NULL,
    due_at = CASE WHEN is_current THEN now() + make_interval(secs => next_seconds) ELSE now() END
  FROM judged
  WHERE work.delivery_id = judged.delivery_id
    AND new_state = 'pending'
    AND work.lease_id = judged.lease_id
), answered AS MATERIALIZED (
  SELECT
    endpoint_id,
    bool_or(outcome = 'delivered') AS is_up,
    bool_or(outcome = 'gone') AS is_gone,
    bool_or(is_slow) AS is_slow,
    count(*) FILTER (WHERE outcome <> 'delivered') AS failed,
    count(*) FILTER (WHERE breaks_circuit) AS broken,
    min(at) AS first_at,
    max(at) AS last_at,
    max(scale) AS scale
  FROM judged
  -- The endpoint has no part in a try whose secret this service can't read.
  WHERE error IS DISTINCT FROM '${UNREADABLE_SECRET}'
  GROUP BY endpoint_id
), watched AS MATERIALIZED (
  SELECT answered.*, health.failures, health.failing_since, health.open_until
  FROM answered
  JOIN webhook_endpoint_health AS health USING (endpoint_id)
  WHERE NOT is_up OR failing_since IS NOT NULL OR health.is_slow <> answered.is_slow
  ORDER BY endpoint_id
  FOR NO KEY UPDATE OF health
), counted AS (
  UPDATE webhook_endpoint_health AS health
  SET
    failures = CASE WHEN is_up THEN 0 ELSE watched.failures + broken END,
    failed_tries = CASE WHEN is_up THEN 0 ELSE failed_tries + failed END,
    failing_since = CASE WHEN NOT is_up THEN coalesce(watched.failing_since, first_at) END,
    last_failure_at = CASE WHEN NOT is_up THEN last_at END,
    warnings = CASE WHEN is_up THEN 0 ELSE warnings END,
    is_slow = watched.is_slow,
    open_until = CASE
      WHEN is_up THEN '-infinity'
      -- Tries that began before the circuit opened do not extend its pause.
      WHEN watched.failures + broken >= ${CIRCUIT_FAILURES} AND broken > 0 THEN now() + make_interval(
        secs => scale * least(
          ${MAX_PAUSE_SECONDS},
          ${FIRST_PAUSE_SECONDS} * 2 ^ least(
            greatest(watched.failures + broken - ${CIRCUIT_FAILURES}, 0), 10)))
      ELSE watched.open_until
    END
  FROM watched
  WHERE health.endpoint_id = watched.endpoint_id
), disabled AS (
  UPDATE webhook_endpoints AS endpoint
  SET state = 'disabled', disabled_reason = 'gone', updated_at = now(), version = version + 1
  FROM answered
  WHERE is_gone AND endpoint.id = answered.endpoint_id AND state = 'enabled'
)
SELECT nth, new_state AS state
FROM judged`,
  batched: {
    conflictKeys: ({ delivery_id }: { delivery_id: string }) => [delivery_id],
    evenIfAborted: true,
  },
}

/** Stores a try; @returns undefined if an earlier attempt has stored it, or the delivery was deleted */
export async function recordTry(run: Run, tried: RecordedTry): Promise<DeliveryState | undefined> {
  const [row] = await run<{ state: DeliveryState }>(RECORD, [
    {
      delivery_id: tried.deliveryId,
      endpoint_id: tried.endpointId,
      operation_id: tried.operationId,
      lease_id: tried.leaseId,
      resend_id: tried.resendId,
      at: tried.at,
      took_ms: tried.tookMs,
      outcome: tried.outcome,
      status: tried.status,
      error: tried.error,
      answer: tried.answer,
      next_seconds: tried.nextSeconds,
      breaks_circuit: tried.breaksCircuit,
      is_slow: tried.isSlow,
      scale: tried.scale,
    },
  ])
  return row?.state
}

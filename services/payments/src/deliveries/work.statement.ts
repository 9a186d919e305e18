/** SQL fragments on `delivery_work`. */

/**
 * A query, for a recursive CTE of the name `head`, of the endpoints that have work: one index probe finds each, however
 * much work it has. The last row is null.
 */
export const ENDPOINTS_WITH_WORK = `
  (SELECT endpoint_id FROM delivery_work ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (
    SELECT work.endpoint_id
    FROM delivery_work AS work
    WHERE work.endpoint_id > head.endpoint_id
    ORDER BY work.endpoint_id
    LIMIT 1
  )
  FROM head
  WHERE head.endpoint_id IS NOT NULL`

/**
 * A statement that makes deliveries due now, with a new schedule. While a try is under way, its result does so.
 *
 * @param from a relation of deliveries, whose rows are locked, with `id` and `endpoint_id`
 * @param resendId an SQL expression
 */
export const restartWork = (from: string, resendId: string) => `
  INSERT INTO delivery_work AS work (delivery_id, endpoint_id, due_at, resend_id)
  SELECT id, endpoint_id, now(), ${resendId}
  FROM ${from}
  ORDER BY id
  ON CONFLICT (delivery_id) DO UPDATE
  SET
    due_at = CASE WHEN work.lease_id IS NULL THEN excluded.due_at ELSE work.due_at END,
    tries = 0,
    resend_id = excluded.resend_id`

import type { Run, Statement } from '@malipo/kit/postgres/database'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'

/** Callbacks that were stored before their attempt, or its reference at the provider, was known. */

/** For this long, a parked callback is matched to attempts. */
export const MATCHED_HOURS = 24
/** Parked callbacks of an account that are counted at most. */
const MAX_COUNTED = 1_000

/*
 * Locks the messages, then the work, as the statement that stores a callback does. A queued attempt is queried, and not
 * sent, as when such a callback is stored. A callback with the bytes of a stored one only repeats it.
 */
export const MATCH_PARKED: Statement = {
  name: 'callback_match_parked',
  text: `
WITH parked AS MATERIALIZED (
  SELECT id, source, body_hash, reading
  FROM provider_messages
  WHERE source = 'provider:' || $1::text
    AND outcome = 'parked'
    AND kind = 'callback'
    AND id > $2::uuid
  ORDER BY id
  LIMIT $3
  FOR NO KEY UPDATE SKIP LOCKED
), matched AS MATERIALIZED (
  SELECT parked.id, attempt.id AS attempt_id, attempt.payment_id
  FROM parked
  CROSS JOIN LATERAL (
    SELECT id, payment_id FROM payment_attempts
    WHERE account = $1 AND id = (reading->>'attemptId')::uuid
    UNION ALL
    SELECT id, payment_id FROM payment_attempts
    WHERE account = $1 AND reading->>'attemptId' IS NULL AND reference = reading->>'reference'
    UNION ALL
    SELECT id, payment_id FROM payment_attempts
    WHERE account = $1
      AND reading->>'attemptId' IS NULL
      AND provider_reference = reading->>'providerReference'
    LIMIT 1
  ) AS attempt
), updated AS (
  UPDATE provider_messages AS message
  SET
    attempt_id = matched.attempt_id,
    payment_id = matched.payment_id,
    outcome = 'stored'
  FROM matched
  WHERE message.id = matched.id
    AND NOT EXISTS (
      SELECT FROM provider_messages AS same
      WHERE same.source = message.source
        AND same.body_hash = message.body_hash
        AND same.attempt_id = matched.attempt_id
        AND same.kind = 'callback'
    )
), repeated AS (
  UPDATE provider_messages AS message
  SET outcome = 'superseded'
  FROM matched
  WHERE message.id = matched.id
    AND EXISTS (
      SELECT FROM provider_messages AS same
      WHERE same.source = message.source
        AND same.body_hash = message.body_hash
        AND same.attempt_id = matched.attempt_id
        AND same.kind = 'callback'
    )
), wanted AS MATERIALIZED (
  SELECT work.attempt_id
  FROM attempt_work AS work
  WHERE work.attempt_id IN (SELECT attempt_id FROM matched)
  ORDER BY work.attempt_id
  FOR NO KEY UPDATE
), woken AS (
  UPDATE attempt_work AS work
  SET
    call = 'query',
    tries = CASE call WHEN 'send' THEN 0 ELSE tries END,
    wanted_at = clock_timestamp(),
    priority = 0,
    due_at = CASE WHEN lease_id IS NOT NULL THEN due_at ELSE least(due_at, now()) END
  FROM wanted
  WHERE work.attempt_id = wanted.attempt_id
)
SELECT id, id IN (SELECT id FROM matched) AS "isMatched"
FROM parked
ORDER BY id`,
}

export interface ParkedPage {
  readonly matched: number
  /** The id after which the next page begins; undefined after the last page. */
  readonly next: string | undefined
}

/** Matches the parked callbacks of one page to attempts, and makes their queries due. */
export async function matchParked(
  run: Run,
  account: string,
  after: string,
  limit: number,
): Promise<ParkedPage> {
  const rows = await run<{ id: string; isMatched: boolean }>(MATCH_PARKED, [account, after, limit])
  return {
    matched: rows.filter(({ isMatched }) => isMatched).length,
    next: rows.length < limit ? undefined : rows.at(-1)?.id,
  }
}

const COUNT_PARKED: Statement = {
  name: 'callback_count_parked',
  text: `
SELECT count(*)::integer AS count
FROM (
  SELECT FROM provider_messages
  WHERE source = 'provider:' || $1::text AND outcome = 'parked' AND kind = 'callback' AND id < $2::uuid
  LIMIT ${MAX_COUNTED}
) AS parked`,
}

/** The callbacks of an account that are matched no more, at most 1,000. */
export async function countParked(run: Run, account: string, now: Date): Promise<number> {
  const [row] = await run<{ count: number }>(COUNT_PARKED, [account, matchedFrom(now)])
  return row?.count ?? 0
}

/** The id of a message of the time since which callbacks are matched. */
export function matchedFrom(now: Date): string {
  return minUuidAt(new Date(now.getTime() - MATCHED_HOURS * 3_600_000))
}

import type { Statement } from '@malipo/kit/postgres/database'
import { insertMessages, MESSAGE_COLUMNS } from '../messages/message-insert.js'
import { MAX_UNSIGNED } from './callback-store.js'

/** Of a closed attempt, only a success is news. */
const IS_NEWS = `(closed_at IS NULL OR reading #>> '{reading,kind}' = 'succeeded')`

/** A signed callback is applied after its answer. The query follows if that fails. */
const DUE = `now() + CASE WHEN is_signed THEN interval '2 seconds' ELSE interval '0' END`

/**
 * Stores a callback and makes a query due, in one statement. A callback that arrives during a query marks the work:
 * the query may have been answered before, so that another one follows. Repeated bytes are counted.
 *
 * A callback of a queued attempt shows that the provider may have the charge, although an answer said that it was not
 * sent, or because the database is a restored one. The attempt is queried, and not sent.
 */
export const STORE_CALLBACK: Statement = {
  name: 'callback_store',
  text: `
WITH input AS (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, operation_id uuid, account text, attempt_id uuid, reference text,
    provider_reference text, ${MESSAGE_COLUMNS}
  )
), target AS MATERIALIZED (
  SELECT
    input.*, attempt.id AS known_id, attempt.payment_id, attempt.state, attempt.closed_at,
    attempt.late_success_at, attempt.trace_parent
  FROM input
  LEFT JOIN LATERAL (
    SELECT * FROM payment_attempts
    WHERE id = input.attempt_id AND account = input.account
    UNION ALL
    SELECT * FROM payment_attempts
    WHERE account = input.account AND payment_attempts.reference = input.reference
    UNION ALL
    SELECT * FROM payment_attempts
    WHERE account = input.account AND payment_attempts.provider_reference = input.provider_reference
    LIMIT 1
  ) AS attempt ON true
), allowed AS MATERIALIZED (
  SELECT *
  FROM target
  WHERE CASE
    WHEN verdict = 'signed' THEN true
    WHEN known_id IS NULL THEN attempt_id IS NOT NULL
    WHEN attempt_id IS NULL AND closed_at IS NOT NULL THEN false
    ELSE (
      SELECT count(*)
      FROM provider_messages AS message
      WHERE message.attempt_id = known_id
        AND message.kind = 'callback'
        AND message.verdict <> 'signed'
        AND message.body_hash <> sha256(decode(target.body, 'base64'))
    ) < ${MAX_UNSIGNED}
  END
), stored AS (${insertMessages({
    from: 'allowed',
    paymentId: 'payment_id',
    attemptId: 'known_id',
    outcome: "CASE WHEN known_id IS NULL THEN 'parked' ELSE 'stored' END",
  })}
  ON CONFLICT (source, body_hash, attempt_id, (reading->>'attemptId')) WHERE kind = 'callback'
  DO UPDATE SET
    -- After a lost connection, the same callback is not counted twice.
    times = stored.times
      + CASE WHEN stored.last_operation_id = excluded.last_operation_id THEN 0 ELSE 1 END,
    last_at = excluded.last_at,
    last_operation_id = excluded.last_operation_id
  RETURNING id, attempt_id, last_operation_id, times
), news AS MATERIALIZED (
  -- Of several callbacks of one attempt, one that is not signed makes the query due at once.
  SELECT
    known_id, payment_id, account, state, late_success_at, bool_and(verdict = 'signed') AS is_signed
  FROM allowed
  WHERE ${IS_NEWS} AND NOT EXISTS (
    SELECT FROM stored WHERE stored.attempt_id = known_id AND times > ${MAX_UNSIGNED}
  )
  GROUP BY known_id, payment_id, account, state, late_success_at
), wanted AS MATERIALIZED (
  SELECT work.attempt_id, is_signed
  FROM news
  JOIN attempt_work AS work ON work.attempt_id = known_id
  ORDER BY work.attempt_id
  FOR NO KEY UPDATE OF work
), woken AS (
  UPDATE attempt_work AS work
  SET
    call = 'query',
    tries = CASE call WHEN 'send' THEN 0 ELSE tries END,
    wanted_at = clock_timestamp(),
    priority = 0,
    due_at = CASE
      WHEN lease_id IS NOT NULL THEN due_at
      WHEN call = 'send' THEN ${DUE}
      ELSE least(due_at, ${DUE})
    END
  FROM wanted
  WHERE work.attempt_id = wanted.attempt_id
), renewed AS (
  -- A success after a failure, of which no query was to follow.
  INSERT INTO attempt_work (attempt_id, account, owner_id, call, priority, due_at, wanted_at)
  SELECT known_id, news.account, owner_id, 'query', 0, ${DUE}, clock_timestamp()
  FROM news
  JOIN payments ON payments.id = payment_id
  WHERE state IN ('declined', 'not_sent') AND late_success_at IS NULL
  ON CONFLICT (attempt_id) DO NOTHING
)
SELECT
  nth,
  known_id AS "attemptId",
  stored.id AS "messageId",
  stored.times,
  trace_parent AS "traceParent",
  EXISTS (SELECT FROM allowed WHERE allowed.nth = target.nth) AS "isAllowed",
  known_id IS NOT NULL AND closed_at IS NULL AS "isOpen"
FROM target
LEFT JOIN stored ON stored.last_operation_id = target.operation_id`,
  batched: {
    conflictKeys: ({ attempt_id, reference, source, body }: Keys) =>
      [attempt_id, reference, `${source} ${body}`].filter((key) => key !== undefined),
    evenIfAborted: true,
  },
}

interface Keys {
  readonly attempt_id?: string
  readonly reference?: string
  readonly source: string
  readonly body: string
}

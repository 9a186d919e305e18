import type { Run, Statement } from '@malipo/kit/postgres/database'
import {
  insertMessages,
  type Message,
  MESSAGE_COLUMNS,
  messageValues,
} from '../messages/message-insert.js'

/** The most different unsigned callbacks that are stored of an attempt, and of repetitions that make a query due. */
const MAX_CALLBACKS = 20

/**
 * Stores a callback and makes a query due, in one statement. A callback that arrives during a query marks the work:
 * the query may have been answered before, so that another one follows. Repeated bytes are counted.
 */
const STORE: Statement = {
  name: 'callback_store',
  text: `
WITH input AS (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, operation_id uuid, account text, attempt_id uuid, reference text,
    provider_reference text, parks boolean, ${MESSAGE_COLUMNS}
  )
), target AS MATERIALIZED (
  SELECT input.*, attempt.id AS known_id, attempt.payment_id
  FROM input
  LEFT JOIN LATERAL (
    SELECT id, payment_id FROM payment_attempts
    WHERE id = input.attempt_id AND account = input.account
    UNION ALL
    SELECT id, payment_id FROM payment_attempts
    WHERE account = input.account AND payment_attempts.reference = input.reference
    UNION ALL
    SELECT id, payment_id FROM payment_attempts
    WHERE account = input.account AND payment_attempts.provider_reference = input.provider_reference
    LIMIT 1
  ) AS attempt ON true
), allowed AS MATERIALIZED (
  SELECT *
  FROM target
  WHERE verdict = 'signed' AND (known_id IS NOT NULL OR parks)
    OR verdict <> 'signed' AND known_id IS NULL AND parks
    OR verdict <> 'signed' AND known_id IS NOT NULL AND (
      SELECT count(*)
      FROM provider_messages AS message
      WHERE message.attempt_id = known_id AND message.kind = 'callback'
        AND message.body_hash <> sha256(decode(target.body, 'base64'))
    ) < ${MAX_CALLBACKS}
), stored AS (${insertMessages({
    from: 'allowed',
    paymentId: 'payment_id',
    attemptId: 'known_id',
    outcome: "CASE WHEN known_id IS NULL THEN 'parked' ELSE 'stored' END",
  })}
  ON CONFLICT (source, body_hash, attempt_id) WHERE kind = 'callback'
  DO UPDATE SET
    times = stored.times + 1,
    last_at = excluded.last_at,
    last_operation_id = excluded.last_operation_id
  WHERE stored.last_operation_id <> excluded.last_operation_id
  RETURNING id, attempt_id, last_operation_id, times
), wanted AS MATERIALIZED (
  SELECT work.attempt_id
  FROM allowed
  JOIN attempt_work AS work ON work.attempt_id = known_id
  WHERE call = 'query'
  ORDER BY work.attempt_id
  FOR NO KEY UPDATE OF work
), woken AS (
  UPDATE attempt_work AS work
  SET
    wanted_at = clock_timestamp(),
    priority = 0,
    due_at = CASE WHEN lease_id IS NULL THEN least(due_at, now()) ELSE due_at END
  FROM wanted
  WHERE work.attempt_id = wanted.attempt_id
    AND NOT EXISTS (
      SELECT FROM stored WHERE stored.attempt_id = work.attempt_id AND times > ${MAX_CALLBACKS}
    )
)
SELECT
  nth,
  target.known_id AS "attemptId",
  (SELECT id FROM stored WHERE last_operation_id = target.operation_id) AS "messageId",
  (SELECT times FROM stored WHERE last_operation_id = target.operation_id) AS times,
  nth IN (SELECT allowed.nth FROM allowed) AS "isStored"
FROM target`,
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

/** A callback that may be stored. */
export interface IncomingCallback {
  readonly account: string
  /** Of the URL. */
  readonly attemptId?: string
  /** Of the body. */
  readonly reference?: string
  readonly providerReference?: string
  /** Whether a callback without an attempt is stored: its sender is authenticated. */
  readonly parks: boolean
  readonly message: Message
  readonly operationId: string
}

export interface StoredCallback {
  readonly attemptId: string | null
  /** Null for a repetition in doubt, and if nothing was stored. */
  readonly messageId: string | null
  readonly times: number | null
  readonly isStored: boolean
}

export async function storeCallback(run: Run, callback: IncomingCallback): Promise<StoredCallback> {
  const { account, attemptId, reference, providerReference, parks, message, operationId } = callback
  const [row] = await run<StoredCallback>(STORE, [
    {
      account,
      attempt_id: attemptId,
      reference,
      provider_reference: providerReference,
      parks,
      operation_id: operationId,
      ...messageValues(message),
    },
  ])
  if (!row) throw new Error('the statement has no row for a callback')
  return row
}

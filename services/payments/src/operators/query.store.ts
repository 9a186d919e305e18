import type { Run, Statement } from '@malipo/kit/postgres/database'
import { adopt } from '../attempts/adopt.js'
import type { AttemptState } from '../attempts/states.js'
import { ACTION_COLUMNS, actionValues, insertActions } from '../operator-actions/action-insert.js'
import type { OperatorAction } from '../operator-actions/operator-action.js'

/**
 * Makes the query of an attempt due now, because an operator asks for it or replays a callback. A query under way may
 * have been answered before, so that another one follows. Of an ended attempt, the queries after its end begin again.
 * A queued attempt is queried, and not sent before, only if a callback is replayed: it may have been received.
 *
 * The attempt is locked, as by a conclusion, which may delete its work. The state is that of the locked row.
 */
const QUERY: Statement = {
  name: 'attempt_query_operated',
  text: `
WITH input AS (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, attempt_id uuid, message_id uuid, ${ACTION_COLUMNS}
  )
), target AS MATERIALIZED (
  SELECT input.*, attempt.payment_id, attempt.account, attempt.state, payments.owner_id
  FROM input
  JOIN payment_attempts AS attempt ON attempt.id = input.attempt_id
  JOIN payments ON payments.id = attempt.payment_id
  ORDER BY attempt.id
  FOR NO KEY UPDATE OF attempt
), due AS (
  INSERT INTO attempt_work AS work
    (attempt_id, account, owner_id, call, due_at, requested_at)
  SELECT attempt_id, account, owner_id, 'query', now(), now()
  FROM target
  WHERE state <> 'queued' OR message_id IS NOT NULL
  ON CONFLICT (attempt_id) DO UPDATE
  SET
    call = 'query',
    tries = CASE work.call WHEN 'send' THEN 0 ELSE work.tries END,
    due_at = CASE WHEN work.lease_id IS NULL THEN least(work.due_at, now()) ELSE work.due_at END,
    priority = least(work.priority, 1),
    wanted_at = clock_timestamp(),
    requested_at = now()
  WHERE work.call = 'query' OR EXISTS (
    SELECT FROM target WHERE target.attempt_id = work.attempt_id AND message_id IS NOT NULL
  )
  RETURNING attempt_id
), adopted AS (
  UPDATE provider_messages AS message
  SET outcome = 'stored',
    ${adopt('target')}
  FROM target
  WHERE message.id = message_id AND message.outcome = 'parked'
), recorded AS (${insertActions({
    from: 'target',
    attemptId: 'attempt_id',
    paymentId: 'payment_id',
    messageId: 'message_id',
    details: `details || jsonb_build_object(
      'result', CASE WHEN attempt_id IN (SELECT attempt_id FROM due) THEN 'query' ELSE 'unchanged' END)`,
    where: `message_id IS NOT NULL OR attempt_id IN (SELECT attempt_id FROM due)`,
  })}
)
SELECT nth, account, state, attempt_id IN (SELECT attempt_id FROM due) AS "isDue"
FROM target`,
  batched: {
    conflictKeys: ({ attempt_id }: { attempt_id: string }) => [attempt_id],
    evenIfAborted: true,
  },
}

export interface Queried {
  readonly account: string
  readonly state: AttemptState
  /** False for an attempt that was not sent yet. */
  readonly isDue: boolean
}

/**
 * Makes a query due, and records the action.
 *
 * @param messageId a callback that is replayed: a parked one is assigned to the attempt
 * @returns undefined if there is no such attempt
 */
export async function queryByOperator(
  run: Run,
  attemptId: string,
  messageId: string | undefined,
  action: OperatorAction,
): Promise<Queried | undefined> {
  const input = { attempt_id: attemptId, message_id: messageId, ...actionValues(action) }
  const [row] = await run<Queried>(QUERY, [input])
  return row
}

import { NIL_UUID } from '@malipo/kit/postgres/uuid-v7'
import { MESSAGE_COLUMNS } from '../messages/message-insert.js'
import type { Extension } from './operated.js'
import { ATTEMPT_STATE_NAMES, isClosed, MISSING_ANSWERS } from './states.js'

/** The part of the statement of conclusions that locks rows and decides. */

const listOf = (words: readonly string[]) => words.map((word) => `'${word}'`).join(', ')
/** The states of attempts that have ended, as a list in SQL. */
export const CLOSED = listOf(ATTEMPT_STATE_NAMES.filter(isClosed))

/** The outcome that is stored with a message. */
export const OUTCOME = `
  CASE WHEN attention IN ('amount_mismatch', 'duplicate_transaction') THEN attention ELSE decision END`

/*
 * The statement locks payments in the order of their ids, then their attempts, then the work, and decides on the
 * locked rows: its own snapshot is older. The updates rely on that decision alone.
 */
export const judge = (extension: Extension) => `
WITH input AS MATERIALIZED (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, attempt_id uuid, operation_id uuid, cause text, actor text, reason text, to_state text,
    from_states text[], attention text, failure text, provider_code text, provider_reference text,
    transaction_id text, paid_minor bigint, amount_unverified boolean, aftercare_seconds numeric,
    callback_id uuid, lease_id uuid, call text, claimed_at timestamptz, missed boolean,
    next_seconds numeric, counted integer, ${MESSAGE_COLUMNS}${extension.columns}
  ) WHERE nth >= 0 AND attempt_id >= '${NIL_UUID}' -- always true: 11 expected rows, not 100
), target AS MATERIALIZED (
  SELECT
    input.nth, payments.id AS payment_id, payments.status, payments.amount_minor, attempt.version,
    attempt.account, attempt.state, attempt.attention AS old_attention, late_success_at, closed_cause
  FROM input
  JOIN payment_attempts AS attempt ON attempt.id = input.attempt_id
  JOIN payments ON payments.id = attempt.payment_id
  ORDER BY payments.id
  FOR NO KEY UPDATE OF payments, attempt
), work AS MATERIALIZED (
  SELECT work.attempt_id, work.lease_id AS holder, work.wanted_at, work.call AS due_call
  FROM target
  JOIN input USING (nth)
  JOIN attempt_work AS work USING (attempt_id)
  ORDER BY work.attempt_id
  FOR NO KEY UPDATE OF work${extension.locks}
), judged AS MATERIALIZED (
  SELECT
    input.*, target.payment_id, target.status, target.amount_minor, target.state, target.account,
    target.old_attention, target.version, holder, wanted_at,
    input.lease_id IS NOT NULL AND input.lease_id IS NOT DISTINCT FROM holder AS is_holder,
    CASE${extension.decisions}
      WHEN to_state IS NULL OR to_state = state THEN 'unchanged'
      -- Only the holder of the lease knows that nothing was sent.
      WHEN to_state = 'queued' AND input.lease_id IS DISTINCT FROM holder THEN 'superseded'
      -- A callback during the call shows that the provider has received it: a query decides.
      WHEN to_state IN ('queued', 'not_sent') AND wanted_at > input.claimed_at THEN 'superseded'
      WHEN cause = 'expiry' AND due_call = 'query' THEN 'superseded'
      WHEN state = ANY (from_states) THEN 'applied'
      WHEN to_state = 'succeeded' AND state IN ('declined', 'not_sent') AND late_success_at IS NULL
        THEN 'late_success'
      -- The provider contradicts an operator.
      WHEN to_state = 'declined' AND state = 'succeeded' AND closed_cause = 'operator'
        AND old_attention IS DISTINCT FROM 'late_failure' THEN 'late_failure'
      WHEN to_state = 'succeeded' AND state = 'queued' THEN 'unexpected_success'
      ELSE 'superseded'
    END AS decision,
    CASE
      -- A replica whose lease ended may be late: another one has asked since.
      WHEN attention IN (${listOf(MISSING_ANSWERS)}) AND (
        state IN (${CLOSED})
        OR input.lease_id IS NOT NULL AND input.lease_id IS DISTINCT FROM holder
      ) THEN NULL
      ELSE attention
    END AS valid_attention
  FROM input
  JOIN target USING (nth)
  LEFT JOIN work USING (attempt_id)
)`

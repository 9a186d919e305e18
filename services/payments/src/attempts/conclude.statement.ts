import type { Statement } from '@malipo/kit/postgres/database'
import { insertMessages } from '../messages/message-insert.js'
import { paymentColumns } from '../payments/payment-columns.js'
import { CLOSED, judge, OUTCOME } from './decision.statement.js'
import { type Extension, NOT_OPERATED, OPERATED } from './operated.js'

const CHANGE = `, stored AS (${insertMessages({
  from: 'judged',
  paymentId: 'payment_id',
  attemptId: 'attempt_id',
  outcome: OUTCOME,
})}
  WHERE message_id IS NOT NULL
  ON CONFLICT DO NOTHING
  RETURNING id, last_operation_id
), decided AS MATERIALIZED (
  SELECT *,
    CASE
      WHEN decision = 'applied' THEN to_state
      -- The request was received after all, or the database is a restored one: a query decides.
      WHEN decision = 'unexpected_success' THEN 'in_doubt'
      WHEN state = 'queued' AND decision IN ('unchanged', 'superseded')
        AND (cause IN ('callback', 'webhook') OR to_state IN ('accepted', 'declined')) THEN 'in_doubt'
      ELSE state
    END AS new_state,
    decision = 'applied' AND to_state IN (${CLOSED}) AS closes,
    CASE
      WHEN decision = 'applied' AND to_state IN (${CLOSED}) THEN valid_attention
      WHEN decision = 'cleared' THEN NULL
      WHEN decision = 'late_failure' THEN decision
      WHEN decision IN ('late_success', 'unexpected_success') THEN coalesce(old_attention, decision)
      ELSE coalesce(old_attention, valid_attention)
    END AS new_attention
  FROM judged
  WHERE webhook_id IS NULL OR operation_id IN (SELECT last_operation_id FROM stored)
), ruled AS MATERIALIZED (
  SELECT *,
    CASE
      WHEN closes AND new_state = 'succeeded' THEN 'SUCCESS'
      WHEN closes THEN 'FAILED'
      WHEN status = 'INITIATED' AND new_state <> 'queued' THEN 'PENDING'
      ELSE status
    END AS new_status
  FROM decided
), changed AS (
  UPDATE payment_attempts AS attempt
  SET
    state = new_state,
    failure = CASE WHEN closes THEN ruled.failure ELSE attempt.failure END,
    provider_code = CASE
      WHEN decision = 'applied' THEN coalesce(ruled.provider_code, attempt.provider_code)
      ELSE attempt.provider_code
    END,
    provider_reference = coalesce(attempt.provider_reference, ruled.provider_reference),
    provider_transaction_id = CASE
      WHEN decision IN ('applied', 'late_success')
        THEN coalesce(transaction_id, attempt.provider_transaction_id)
      ELSE attempt.provider_transaction_id
    END,
    -- When a restored database does not know the time of the request, it is not earlier than this.
    sent_at = CASE
      WHEN new_state = 'in_doubt' THEN coalesce(attempt.sent_at, attempt.created_at)
      ELSE attempt.sent_at
    END,
    closed_at = CASE WHEN closes THEN now() ELSE attempt.closed_at END,
    closed_cause = CASE WHEN closes THEN cause ELSE attempt.closed_cause END,
    late_success_at = CASE WHEN decision = 'late_success' THEN now() ELSE attempt.late_success_at END,
    attention = new_attention,
    attention_at = CASE WHEN new_attention IS NOT NULL THEN coalesce(attempt.attention_at, now()) END,
    updated_at = now(),
    version = attempt.version + 1
  FROM ruled
  WHERE attempt.id = ruled.attempt_id
    AND (
      decision IN ('applied', 'late_success')
      OR new_state <> ruled.state
      OR new_attention IS DISTINCT FROM old_attention
      OR attempt.provider_reference IS NULL AND ruled.provider_reference IS NOT NULL
    )
  RETURNING attempt.id, attempt.version, attempt.updated_at
), attempt_event AS (
  INSERT INTO attempt_events
    (attempt_id, version, operation_id, from_state, to_state, cause, message_id, actor, reason, at)
  SELECT
    changed.id, changed.version, operation_id, state, new_state, cause,
    coalesce(callback_id, (SELECT id FROM stored WHERE last_operation_id = operation_id)), actor,
    coalesce(reason, new_attention), changed.updated_at
  FROM changed
  JOIN ruled ON ruled.attempt_id = changed.id
), moved AS (
  UPDATE payments
  SET
    status = new_status,
    provider_transaction_id = CASE
      WHEN closes THEN coalesce(transaction_id, payments.provider_transaction_id)
      ELSE payments.provider_transaction_id
    END,
    transaction_key = CASE
      WHEN closes AND new_state = 'succeeded' THEN ruled.account || ' ' || transaction_id
      ELSE payments.transaction_key
    END,
    failure = CASE WHEN closes THEN ruled.failure ELSE payments.failure END,
    provider_code = CASE WHEN closes THEN ruled.provider_code ELSE payments.provider_code END,
    needs_attention = new_attention IS NOT NULL,
    amount_unverified = CASE
      WHEN closes THEN coalesce(ruled.amount_unverified, false) ELSE payments.amount_unverified
    END,
    late_success = CASE
      WHEN decision = 'late_success' THEN jsonb_build_object(
        'amountMinor', coalesce(paid_minor, ruled.amount_minor)::text,
        'providerTransactionId', transaction_id,
        'at', changed.updated_at
      )
      ELSE payments.late_success
    END,
    last_webhook_id = CASE
      WHEN ruled.webhook_id IS NOT NULL AND new_status <> ruled.status THEN ruled.webhook_id
      ELSE payments.last_webhook_id
    END,
    last_webhook_at = CASE
      WHEN ruled.webhook_id IS NOT NULL AND new_status <> ruled.status THEN ruled.at
      ELSE payments.last_webhook_at
    END,
    attempt_version = changed.version,
    updated_at = changed.updated_at,
    version = payments.version + CASE WHEN closes AND ruled.status = 'INITIATED' THEN 2 ELSE 1 END
  FROM changed
  JOIN ruled ON ruled.attempt_id = changed.id
  WHERE payments.id = ruled.payment_id
    AND (
      new_status <> ruled.status
      OR decision = 'late_success'
      OR (new_attention IS NULL) IS DISTINCT FROM (old_attention IS NULL)
    )
  RETURNING payments.*
), payment_event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, owner_id, from_status, to_status, at, actor, cause, reason,
     provider_name, provider_transaction_id, last_webhook_id, last_webhook_at, failure,
     provider_code, needs_attention, amount_unverified, late_success, message_id)
  SELECT
    moved.id, moved.version, operation_id, moved.owner_id,
    CASE WHEN ruled.status = 'INITIATED' AND closes THEN 'PENDING' ELSE ruled.status END,
    moved.status, moved.updated_at, actor, 'attempt', coalesce(reason, new_attention),
    moved.provider_name, moved.provider_transaction_id, moved.last_webhook_id,
    moved.last_webhook_at, moved.failure, moved.provider_code, moved.needs_attention,
    moved.amount_unverified, moved.late_success,
    coalesce(callback_id, (SELECT id FROM stored WHERE last_operation_id = operation_id))
  FROM moved
  JOIN ruled ON ruled.payment_id = moved.id
  UNION ALL
  -- A payment that was never sent is PENDING on its way to FAILED.
  SELECT
    moved.id, moved.version - 1, uuidv7(), moved.owner_id, 'INITIATED', 'PENDING', moved.updated_at,
    actor, 'attempt', NULL, moved.provider_name, NULL, NULL, NULL, NULL, NULL, old_attention IS NOT NULL,
    false, NULL, NULL
  FROM moved
  JOIN ruled ON ruled.payment_id = moved.id
  WHERE closes AND ruled.status = 'INITIATED'
)`

const finish = (extension: Extension) => `, callback AS (
  UPDATE provider_messages AS message
  SET outcome = ${OUTCOME}${extension.message}
  FROM ruled
  WHERE message.id = callback_id AND (message.outcome = 'stored'${extension.messageToo})
), rescheduled AS (
  UPDATE attempt_work AS work
  SET
    lease_id = NULL,
    priority = CASE WHEN NOT closes AND ruled.wanted_at > claimed_at THEN 0 ELSE 1 END,
    call = CASE WHEN decision = 'applied' AND new_state = 'queued' THEN 'send' ELSE 'query' END,
    tries = CASE WHEN closes OR ruled.call = 'send' AND new_state <> 'queued' THEN 0
      ELSE greatest(work.tries + counted, 0) END,
    misses = CASE WHEN missed THEN work.misses + 1 ELSE 0 END,
    due_at = CASE
      WHEN closes THEN now() + make_interval(secs => aftercare_seconds::float8)
      WHEN state = 'queued' THEN now()
      WHEN ruled.wanted_at > claimed_at THEN now()
      WHEN next_seconds IS NULL THEN 'infinity'
      ELSE now() + make_interval(secs => next_seconds::float8)
    END
  FROM ruled
  WHERE work.attempt_id = ruled.attempt_id
    AND (
      closes AND aftercare_seconds IS NOT NULL
      OR NOT closes AND (is_holder OR state = 'queued' AND new_state = 'in_doubt')
    )
    AND decision <> 'late_success'
    AND NOT (new_state IN (${CLOSED}) AND NOT closes AND next_seconds IS NULL)
), removed AS (
  DELETE FROM attempt_work AS work
  USING ruled
  WHERE work.attempt_id = ruled.attempt_id
    AND new_state IN (${CLOSED})
    AND (
      closes AND aftercare_seconds IS NULL
      OR decision = 'late_success'
      OR NOT closes AND is_holder AND next_seconds IS NULL
    )${extension.records}
)
SELECT
  nth,
  CASE
    WHEN ruled.nth IS NULL THEN 'duplicate' ELSE ruled.decision
  END AS outcome,
  coalesce(ruled.new_state, judged.state) AS "attemptState",
  ${paymentColumns('moved')}
FROM judged
LEFT JOIN ruled USING (nth)
LEFT JOIN moved ON moved.id = ruled.payment_id`

const concludeStatement = (name: string, extension: Extension): Statement => ({
  name,
  text: judge(extension) + CHANGE + finish(extension),
  batched: {
    conflictKeys: ({ attempt_id, source, webhook_id, transaction_id, account }: Keys) => [
      attempt_id,
      ...(webhook_id === undefined ? [] : [`${source} ${webhook_id}`]),
      ...(transaction_id === undefined ? [] : [`${account} ${transaction_id}`]),
    ],
    evenIfAborted: true,
  },
})

/** Of calls, callbacks and webhooks. */
export const CONCLUDE = concludeStatement('attempt_conclude', NOT_OPERATED)
/** Of operators: it also records their action. */
export const CONCLUDE_OPERATED = concludeStatement('attempt_conclude_operated', OPERATED)

interface Keys {
  readonly attempt_id: string
  readonly account: string
  readonly source?: string
  readonly webhook_id?: string
  readonly transaction_id?: string
}

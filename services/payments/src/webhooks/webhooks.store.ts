import type { Run, Statement } from '@malipo/kit/postgres/database'
import { paymentColumns } from '../payments/payment-columns.js'
import type { Payment } from '../payments/payment.entity.js'
import { earlierStatuses, type Status, statusesBefore } from '../payments/transitions.js'
import { insertMessages, MESSAGE_COLUMNS, messageValues } from '../messages/message-insert.js'
import { type IncomingWebhook, messageOf } from './messages.store.js'

/**
 * The inbox of webhooks. The statement that applies a webhook also stores its message with its id, so neither
 * commits without the other. Ids are unique per source.
 */

// As in a transition, the UPDATE relies on the decision about the locked row: its own snapshot is older.
const APPLY: Statement = {
  name: 'webhook_apply',
  text: `
WITH input AS (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, id uuid, viewer uuid, sees_all boolean, to_status text, from_statuses text[],
    premature_from text[], provider_name text, provider_transaction_id text,
    transaction_key text,
    stated_minor bigint, stated_currency text, actor text, operation_id uuid, ${MESSAGE_COLUMNS}
  )
), target AS MATERIALIZED (
  SELECT payments.id, payments.status, payments.amount_minor, payments.currency
  FROM input
  JOIN payments USING (id)
  WHERE (owner_id = viewer OR sees_all)
    -- Of a payment with an account, the attempt decides.
    AND payments.account IS NULL
  ORDER BY id
  FOR UPDATE OF payments
), decision AS MATERIALIZED (
  SELECT
    input.*,
    target.status,
    CASE
      WHEN coalesce(stated_minor, amount_minor) <> amount_minor
        OR coalesce(stated_currency, currency) <> currency THEN 'other_amount'
      WHEN target.status = ANY (from_statuses) THEN 'applied'
      WHEN target.status = ANY (premature_from) THEN 'premature'
      ELSE 'superseded'
    END AS outcome
  FROM input
  JOIN target USING (id)
), stored AS (${insertMessages({
    from: 'decision',
    paymentId: 'id',
    attemptId: 'NULL',
    outcome: 'outcome',
  })}
  WHERE outcome NOT IN ('premature', 'other_amount')
  ON CONFLICT DO NOTHING
  RETURNING last_operation_id AS operation_id
), changed AS (
  UPDATE payments
  SET
    status = to_status,
    provider_name = coalesce(decision.provider_name, payments.provider_name),
    provider_transaction_id =
      coalesce(decision.provider_transaction_id, payments.provider_transaction_id),
    transaction_key = decision.transaction_key,
    last_webhook_id = webhook_id,
    last_webhook_at = at,
    updated_at = at,
    version = payments.version + 1
  FROM decision
  WHERE payments.id = decision.id
    AND outcome = 'applied'
    AND operation_id IN (SELECT operation_id FROM stored)
  RETURNING payments.*
), event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, owner_id, from_status, to_status, at, actor, cause,
     provider_name, provider_transaction_id, last_webhook_id, last_webhook_at)
  SELECT
    changed.id, changed.version, operation_id, changed.owner_id, decision.status, changed.status, at, actor,
    'webhook', changed.provider_name, changed.provider_transaction_id, changed.last_webhook_id,
    changed.last_webhook_at
  FROM changed
  JOIN decision USING (id)
)
SELECT
  nth,
  CASE
    WHEN outcome IN ('premature', 'other_amount') THEN outcome
    WHEN operation_id IN (SELECT operation_id FROM stored) THEN outcome
    ELSE 'duplicate'
  END AS outcome,
  decision.status AS "currentStatus",
  ${paymentColumns('changed')}
FROM decision
LEFT JOIN changed USING (id)`,
  batched: {
    conflictKeys: ({ source, webhook_id, id = '' }: Keys) => [id, `${source} ${webhook_id}`],
    // A provider may disconnect before the response; its webhook must be applied nevertheless.
    evenIfAborted: true,
  },
}

type Keys = { source: string; webhook_id: string; id?: string }

interface WebhookResult {
  /** `duplicate`: the webhook's id was already stored. */
  readonly outcome: 'applied' | 'superseded' | 'premature' | 'other_amount' | 'duplicate'
  /** The payment's status before the webhook. */
  readonly currentStatus: Status
  /** The payment after the change, if the webhook was applied. */
  readonly payment: Payment | undefined
}

type Row = Omit<WebhookResult, 'payment'> & Payment

/** Applies a webhook or stores it as superseded; undefined if the sender can't see the payment. */
export async function apply(
  run: Run,
  webhook: IncomingWebhook,
): Promise<WebhookResult | undefined> {
  const { status } = webhook.reading
  const [row] = await run<Row>(APPLY, [
    {
      ...messageValues(messageOf(webhook)),
      operation_id: webhook.operationId,
      id: webhook.paymentId,
      viewer: webhook.viewer.id,
      sees_all: webhook.viewer.seesAll,
      to_status: status,
      from_statuses: statusesBefore(status),
      premature_from: earlierStatuses(status),
      provider_name: webhook.signature?.provider,
      provider_transaction_id: webhook.reading.providerTransactionId,
      transaction_key: webhook.transactionKey,
      stated_minor: webhook.amountMinor?.toString(),
      stated_currency: webhook.reading.currency,
      actor: webhook.actor,
    },
  ])
  if (!row) return undefined
  const { outcome, currentStatus, ...payment } = row
  return { outcome, currentStatus, payment: payment.id ? payment : undefined }
}

const FIND: Statement = {
  name: 'webhook_find',
  text: `
SELECT
  nth,
  message.payment_id AS "paymentId",
  message.reading ->> 'status' AS "storedStatus",
  message.outcome AS "storedOutcome",
  message.last_operation_id AS "operationId",
  ${paymentColumns('payments')}
FROM json_to_recordset($1) AS input (nth integer, source text, webhook_id text)
JOIN provider_messages AS message USING (source, webhook_id)
JOIN payments ON payments.id = message.payment_id
WHERE message.outcome <> 'conflict'`,
  batched: { evenIfAborted: true },
}

type StoredWebhook = Payment & {
  readonly paymentId: string
  readonly storedStatus: Status
  readonly storedOutcome: 'applied' | 'superseded'
  readonly operationId: string
}

/** The webhook stored under this id, with its payment's current state; undefined for a new id. */
export async function findWebhook(
  run: Run,
  { source, webhookId }: IncomingWebhook,
): Promise<StoredWebhook | undefined> {
  const [stored] = await run<StoredWebhook>(FIND, [{ source, webhook_id: webhookId }])
  return stored
}

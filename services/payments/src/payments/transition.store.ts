import type { Run, Statement } from '@malipo/kit/postgres/database'
import {
  claimKeys,
  KEY_COLUMNS,
  keyConflicts,
  type KeyValues,
  keyValues,
  TRY_LOCK_KEY,
} from '../idempotency/key-claim.js'
import type { IdempotencyKey } from '../idempotency/key.js'
import { paymentColumns } from './payment-columns.js'
import type { Payment } from './payment.entity.js'
import { RESOURCE_TYPE, type Viewer } from './payments.store.js'
import { type Status, statusesBefore } from './transitions.js'

/** A requested change of a payment's status. */
export interface Transition {
  readonly id: string
  readonly viewer: Viewer
  readonly to: Status
  /** The versions that `If-Match` accepts; undefined without a condition. */
  readonly versions: readonly number[] | undefined
  readonly providerTransactionId: string | undefined
  readonly reason: string | undefined
  readonly at: Date
  readonly operationId: string
  readonly key: IdempotencyKey | undefined
}

/** The database's decision on a transition. */
export interface Decision {
  readonly responseStatus: 200 | 400 | 412
  /** The payment before the change. */
  readonly current: Pick<Payment, 'status' | 'version'>
  /** False if the idempotency key was already taken. In that case, nothing was changed or stored. */
  readonly claimed: boolean
  /** The payment after the change. */
  readonly payment: Payment | undefined
}

/*
 * The statement locks the payment's row before it decides, so each concurrent request decides on the state
 * that the previous one committed. The UPDATE relies only on that decision: the status that it reads itself
 * comes from the statement's snapshot, which is older than the lock. A rejection claims the key as a change
 * does. Rows are locked in the order of their ids, so that two batches can't deadlock.
 */
const TRANSITION: Statement = {
  name: 'payment_transition',
  text: `
WITH input AS MATERIALIZED (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, id uuid, sees_all boolean, to_status text, from_statuses text[],
    versions integer[], provider_transaction_id text, reason text, at timestamptz, ${KEY_COLUMNS}
  )
  WHERE ${TRY_LOCK_KEY}
), target AS MATERIALIZED (
  SELECT payments.id, payments.status, payments.version
  FROM input
  JOIN payments USING (id)
  WHERE (owner_id = caller OR sees_all)
    -- Of a payment with an account, the attempt decides.
    AND account IS NULL
  ORDER BY id
  FOR UPDATE OF payments
), decision AS MATERIALIZED (
  SELECT
    input.*,
    target.status,
    target.version,
    CASE
      WHEN target.version <> ALL (versions) THEN 412
      WHEN target.status = ANY (from_statuses) THEN 200
      ELSE 400
    END AS response_status
  FROM input
  JOIN target USING (id)
), keys AS (${claimKeys({
    from: 'decision',
    responseStatus: 'response_status',
    resourceType: RESOURCE_TYPE,
    resourceId: 'id',
    resourceVersion: 'CASE response_status WHEN 200 THEN version + 1 ELSE version END',
    createdAt: 'at',
  })}
), decided AS (
  SELECT *, key IS NULL OR operation_id IN (SELECT operation_id FROM keys) AS claimed
  FROM decision
), changed AS (
  UPDATE payments
  SET
    status = to_status,
    provider_transaction_id =
      coalesce(decided.provider_transaction_id, payments.provider_transaction_id),
    updated_at = at,
    version = payments.version + 1
  FROM decided
  WHERE payments.id = decided.id
    AND claimed
    AND response_status = 200
  RETURNING payments.*
), event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, owner_id, from_status, to_status, at, actor, cause, reason,
     provider_name, provider_transaction_id, last_webhook_id, last_webhook_at)
  SELECT
    changed.id, changed.version, operation_id, changed.owner_id, decided.status, changed.status, at,
    caller::text, 'status', reason, changed.provider_name, changed.provider_transaction_id,
    changed.last_webhook_id, changed.last_webhook_at
  FROM changed
  JOIN decided USING (id)
)
SELECT
  nth,
  response_status AS "responseStatus",
  claimed,
  decided.status AS "currentStatus",
  decided.version AS "currentVersion",
  ${paymentColumns('changed')}
FROM decided
LEFT JOIN changed USING (id)`,
  batched: {
    conflictKeys: ({ id, ...key }: KeyValues & { id: string }) => [id, ...keyConflicts(key)],
  },
}

type Row = Payment &
  Omit<Decision, 'current' | 'payment'> & { currentStatus: Status; currentVersion: number }

/** Applies or rejects a transition; undefined if the viewer can't see the payment or its key is locked. */
export async function transition(run: Run, input: Transition): Promise<Decision | undefined> {
  const [row] = await run<Row>(TRANSITION, [
    {
      id: input.id,
      caller: input.viewer.id,
      sees_all: input.viewer.seesAll,
      to_status: input.to,
      from_statuses: statusesBefore(input.to),
      versions: input.versions,
      provider_transaction_id: input.providerTransactionId,
      reason: input.reason,
      at: input.at,
      operation_id: input.operationId,
      ...keyValues(input.key),
    },
  ])
  if (!row) return undefined
  const { responseStatus, claimed, currentStatus, currentVersion, ...payment } = row
  const current = { status: currentStatus, version: currentVersion }
  return { responseStatus, current, claimed, payment: payment.id ? payment : undefined }
}

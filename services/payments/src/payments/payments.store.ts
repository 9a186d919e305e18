import type { Run, Statement } from '@malipo/kit/postgres/database'
import {
  claimKeys,
  KEY_COLUMNS,
  keyConflicts,
  keyValues,
  TRY_LOCK_KEY,
} from '../idempotency/key-claim.js'
import type { IdempotencyKey } from '../idempotency/key.js'
import type { StoredResponse } from '../idempotency/idempotency.js'
import { paymentColumns } from './payment-columns.js'
import type { Payment } from './payment.entity.js'

/**
 * The SQL statements on payments. A write is a single statement and thus a single transaction: a payment
 * commits together with its event and its idempotency key. A batched statement reads a relation, `input`,
 * with one row per request.
 */

/** The `resource_type` of stored responses. */
export const RESOURCE_TYPE = 'payment'

/** The columns that have the same value in every new payment. */
const INITIAL_VALUES = {
  providerTransactionId: null,
  lastWebhookId: null,
  lastWebhookAt: null,
  failure: null,
  providerCode: null,
  needsAttention: false,
  amountUnverified: false,
  lateSuccess: null,
  version: 1,
}

export type NewPayment = Omit<Payment, keyof typeof INITIAL_VALUES | 'updatedAt'>

/** The attempt that is stored with a payment of a provider account. */
export interface NewAttempt {
  readonly id: string
  readonly account: string
  readonly reference: string
  /** ISO 8601. */
  readonly sendUntil: string
}

/** The attempt, and its first work: to be sent now. */
const INSERT_ATTEMPT = `
), attempt AS (
  INSERT INTO payment_attempts
    (id, payment_id, account, reference, state, send_until, created_at, updated_at, version)
  SELECT attempt_id, id, account, attempt_reference, 'queued', send_until, input.created_at,
    input.created_at, 1
  FROM inserted
  JOIN input USING (id)
), work AS (
  INSERT INTO attempt_work (attempt_id, account, owner_id, call, due_at)
  SELECT attempt_id, account, caller, 'send', now()
  FROM inserted
  JOIN input USING (id)`

/** Two statements, so that a payment without an account costs no more than before. */
const insertStatement = (withAttempt: boolean): Statement => ({
  name: withAttempt ? 'payment_insert_with_attempt' : 'payment_insert',
  text: `
WITH input AS MATERIALIZED (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, id uuid, amount_minor bigint, currency text, payment_method text,
    customer_phone text, customer_email text, description text, metadata jsonb, status text,
    created_at timestamptz, account text, provider_name text, attempt_id uuid,
    attempt_reference text, send_until timestamptz, ${KEY_COLUMNS}
  )
  WHERE ${TRY_LOCK_KEY}
), claimed AS (${claimKeys({
    from: 'input',
    responseStatus: '201',
    resourceType: RESOURCE_TYPE,
    resourceId: 'id',
    resourceVersion: '1',
    createdAt: 'created_at',
  })}
), inserted AS (
  INSERT INTO payments
    (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email,
     description, metadata, status, account, provider_name, created_at, updated_at, version)
  SELECT
    id, caller, amount_minor, currency, payment_method, customer_phone, customer_email,
    description, metadata, status, account, provider_name, created_at, created_at, 1
  FROM input
  WHERE key IS NULL OR operation_id IN (SELECT operation_id FROM claimed)
  ON CONFLICT (id) DO NOTHING
  RETURNING id, status, created_at, provider_name, metadata
), event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, to_status, at, actor, cause, provider_name)
  SELECT
    inserted.id, 1, operation_id, inserted.status, inserted.created_at, caller::text, 'create',
    inserted.provider_name
  FROM inserted
  JOIN input USING (id)${withAttempt ? INSERT_ATTEMPT : ''}
)
SELECT nth, inserted.metadata
FROM inserted
JOIN input USING (id)`,
  batched: { conflictKeys: keyConflicts },
})

const INSERT = insertStatement(false)
const INSERT_WITH_ATTEMPT = insertStatement(true)

/** Inserts a payment; undefined if its id already exists, or if its idempotency key is taken or locked. */
export async function insert(
  run: Run,
  payment: NewPayment,
  attempt: NewAttempt | undefined,
  operationId: string,
  key: IdempotencyKey | undefined,
): Promise<Payment | undefined> {
  const statement = attempt ? INSERT_WITH_ATTEMPT : INSERT
  const [inserted] = await run<Pick<Payment, 'metadata'>>(statement, [
    {
      id: payment.id,
      caller: payment.ownerId,
      amount_minor: payment.amountMinor,
      currency: payment.currency,
      payment_method: payment.paymentMethod,
      customer_phone: payment.customerPhone,
      customer_email: payment.customerEmail,
      description: payment.description,
      metadata: payment.metadata,
      status: payment.status,
      created_at: payment.createdAt,
      operation_id: operationId,
      ...keyValues(key),
      ...(attempt && {
        account: attempt.account,
        provider_name: payment.providerName,
        attempt_id: attempt.id,
        attempt_reference: attempt.reference,
        send_until: attempt.sendUntil,
      }),
    },
  ])
  if (!inserted) return undefined
  // `metadata` is read back, because jsonb reorders its fields. Every other column is stored as sent.
  const { metadata } = inserted
  return { ...payment, ...INITIAL_VALUES, updatedAt: payment.createdAt, metadata }
}

/** An owner sees only their own payments; an operator or a provider sees all. */
export interface Viewer {
  readonly id: string | undefined
  readonly seesAll: boolean
}

const FIND: Statement = {
  name: 'payment_find',
  text: `
SELECT nth, ${paymentColumns('payments')}
FROM json_to_recordset($1) AS input (nth integer, id uuid, viewer uuid, sees_all boolean)
JOIN payments USING (id)
WHERE owner_id = viewer OR sees_all`,
  batched: {},
}

/** Finds a payment; undefined if it does not exist or the viewer may not see it. */
export async function find(run: Run, id: string, viewer: Viewer): Promise<Payment | undefined> {
  const [payment] = await run<Payment>(FIND, [{ id, viewer: viewer.id, sees_all: viewer.seesAll }])
  return payment
}

const FIND_BY_OPERATION: Statement = {
  name: 'payment_find_by_operation',
  text: `
SELECT nth, ${paymentColumns('payments', 'event')}
FROM json_to_recordset($1) AS input (nth integer, operation_id uuid)
JOIN payment_events AS event USING (operation_id)
JOIN payments ON payments.id = event.payment_id`,
  batched: {},
}

/** The payment as it was after an operation; undefined if the operation has not committed. */
export async function findByOperation(run: Run, operationId: string): Promise<Payment | undefined> {
  const [payment] = await run<Payment>(FIND_BY_OPERATION, [{ operation_id: operationId }])
  return payment
}

const FIND_VERSION: Statement = {
  name: 'payment_find_version',
  text: `
SELECT nth, ${paymentColumns('payments', 'event')}
FROM json_to_recordset($1) AS input (nth integer, id uuid, version integer)
JOIN payments USING (id)
JOIN payment_events AS event
  ON event.payment_id = payments.id AND event.version = input.version`,
  batched: {},
}

/** The payment at the version that a stored response shows. */
export async function findVersion(
  run: Run,
  { resourceId: id, resourceVersion: version }: StoredResponse,
): Promise<Payment> {
  const [payment] = await run<Payment>(FIND_VERSION, [{ id, version }])
  if (!payment) throw new Error(`payment ${id} has no version ${version}`)
  return payment
}

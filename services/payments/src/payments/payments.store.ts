import type { Run, Statement } from '@malipo/kit/postgres/database'
import { keyValues } from '../idempotency/key-claim.js'
import type { IdempotencyKey } from '../idempotency/key.js'
import type { StoredResponse } from '../idempotency/idempotency.js'
import { RESOURCE_TYPE, statementFor } from './insert.statement.js'
import { paymentColumns } from './payment-columns.js'
import type { Payment } from './payment.entity.js'

/**
 * The SQL statements on payments. A write is a single statement and thus a single transaction: a payment
 * commits together with its event and its idempotency key. A batched statement reads a relation, `input`,
 * with one row per request.
 */

export { RESOURCE_TYPE }

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
  readonly traceParent: string | undefined
  readonly limits: ChargeLimits | undefined
}

/** Limits on requests for money, so that a merchant can't prompt strangers. */
export interface ChargeLimits {
  /** Open payments of a payer, over all merchants. */
  readonly payerOpen: number
  /** Payments of a payer in any hour, over all merchants; at most `MAX_PAYER_HOURLY`. */
  readonly payerHourly: number
  /** Payments of a merchant in a day of UTC. */
  readonly merchantDaily: number
}

interface Inserted extends Pick<Payment, 'metadata'> {
  readonly limit?: 'payer' | 'merchant' | null
}

/** A limit that prevents the payment: it is not stored. */
export interface LimitReached {
  readonly limit: 'payer' | 'merchant'
}

/**
 * Inserts a payment; undefined if its id already exists, if its idempotency key is taken or locked, or if another
 * payment of the payer is stored at the same time.
 */
export async function insert(
  run: Run,
  payment: NewPayment,
  attempt: NewAttempt | undefined,
  operationId: string,
  key: IdempotencyKey | undefined,
): Promise<Payment | LimitReached | undefined> {
  const [inserted] = await run<Inserted>(statementFor(attempt), [
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
        trace_parent: attempt.traceParent,
        payer_open: attempt.limits?.payerOpen,
        payer_hourly: attempt.limits?.payerHourly,
        merchant_daily: attempt.limits?.merchantDaily,
      }),
    },
  ])
  if (!inserted) return undefined
  if (inserted.limit) return { limit: inserted.limit }
  // `metadata` is read back, because jsonb reorders its fields. Every other column is stored as sent.
  const { metadata } = inserted
  return { ...payment, ...INITIAL_VALUES, updatedAt: payment.createdAt, metadata }
}

/** A merchant sees only their own payments; an operator or a provider sees all. */
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

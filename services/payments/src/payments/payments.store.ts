import type { Run, Statement } from '@malipo/kit/database'
import { isAdmitted, type Keyed } from '../idempotency/keyed.js'
import { paymentColumns } from './payment-columns.js'
import type { Payment } from './payment.entity.js'

/**
 * The statements on payments: each one function that takes a plain value and gives a plain row. A write
 * is one statement, so one transaction: the payment, its event and its idempotency key are there together
 * or not at all. Their inputs are a relation (`input`) of one row, and nothing below it counts on one.
 */

/** A new payment. */
export interface Insertion {
  readonly payment: Omit<Payment, LaterColumn>
  readonly operationId: string
  readonly keyed: Keyed | undefined
}

type LaterColumn =
  | 'providerName'
  | 'providerTransactionId'
  | 'lastWebhookId'
  | 'lastWebhookAt'
  | 'updatedAt'
  | 'version'

const INSERT: Statement = {
  name: 'payment_insert',
  text: `
WITH input AS (
  SELECT $1::uuid AS id, $2::uuid AS caller, $3::bigint AS amount_minor, $4::text AS currency,
         $5::text AS payment_method, $6::text AS customer_phone, $7::text AS customer_email,
         $8::text AS description, $9::jsonb AS metadata, $10::text AS status,
         $11::timestamptz AS created_at, $12::uuid AS operation_id,
         $13::text AS key, $14::text AS route, $15::bytea AS fingerprint
), claimed AS (
  INSERT INTO idempotency_keys
    (caller, route, key, fingerprint, operation_id, answer, created_at)
  SELECT caller, route, key, fingerprint, operation_id, 201, created_at
    FROM input
   WHERE key IS NOT NULL AND ${isAdmitted('key')}
      ON CONFLICT DO NOTHING
  RETURNING operation_id
), inserted AS (
  INSERT INTO payments
    (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email,
     description, metadata, status, created_at, updated_at, version)
  SELECT id, caller, amount_minor, currency, payment_method, customer_phone, customer_email,
         description, metadata, status, created_at, created_at, 1
    FROM input
   WHERE key IS NULL OR operation_id IN (SELECT operation_id FROM claimed)
      ON CONFLICT (id) DO NOTHING
  RETURNING *
), event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, to_status, at, actor, cause)
  SELECT inserted.id, 1, operation_id, inserted.status, inserted.created_at, caller::text, 'create'
    FROM inserted JOIN input USING (id)
)
SELECT ${paymentColumns('inserted')}
  FROM inserted`,
}

/** Inserts a payment; undefined when its id or its idempotency key is there already, or in use. */
export async function insert(run: Run, insertion: Insertion): Promise<Payment | undefined> {
  const { payment, operationId, keyed } = insertion
  const [inserted] = await run<Payment>(INSERT, [
    payment.id,
    payment.ownerId,
    payment.amountMinor,
    payment.currency,
    payment.paymentMethod,
    payment.customerPhone,
    payment.customerEmail,
    payment.description,
    payment.metadata,
    payment.status,
    payment.createdAt,
    operationId,
    keyed?.key,
    keyed?.route,
    keyed?.fingerprint,
  ])
  return inserted
}

/** Who asks for a payment: its owner, or an operator who sees everyone's. */
export interface Reader {
  readonly id: string | undefined
  readonly everyone: boolean
}

const FIND: Statement = {
  name: 'payment_find',
  text: `
SELECT ${paymentColumns('payments')}
  FROM payments
 WHERE id = $1 AND (owner_id = $2 OR $3)`,
}

/** The payment, if it exists for this reader. */
export async function find(run: Run, id: string, reader: Reader): Promise<Payment | undefined> {
  const [payment] = await run<Payment>(FIND, [id, reader.id, reader.everyone])
  return payment
}

const MADE_BY: Statement = {
  name: 'payment_made_by',
  text: `
SELECT ${paymentColumns('payments', 'event', { status: 'to_status', updatedAt: 'at' })}
  FROM payment_events AS event
  JOIN payments ON payments.id = event.payment_id
 WHERE event.operation_id = $1`,
}

/** The payment as an operation left it, whatever came after; undefined if the operation did nothing. */
export async function madeBy(run: Run, operationId: string): Promise<Payment | undefined> {
  const [payment] = await run<Payment>(MADE_BY, [operationId])
  return payment
}

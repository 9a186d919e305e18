import type { Run, Statement } from '@malipo/kit/postgres/database'
import { columnsOf, isAdmitted, type Keyed, keysOfKeyed } from '../idempotency/keyed.js'
import { paymentColumns } from './payment-columns.js'
import type { Payment } from './payment.entity.js'

/**
 * The statements on payments: each one function that takes a plain value and gives a plain row. A write
 * is one statement, so one transaction: the payment, its event and its idempotency key are there together
 * or not at all. Those that many requests share take a relation (`input`) with a row for each.
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
  SELECT *
    FROM json_to_recordset($1)
      AS input (nth integer, id uuid, caller uuid, amount_minor bigint, currency text,
                payment_method text, customer_phone text, customer_email text, description text,
                metadata jsonb, status text, created_at timestamptz, operation_id uuid,
                key text, route text, fingerprint bytea)
), claimed AS (
  INSERT INTO idempotency_keys
    (caller, route, key, fingerprint, operation_id, response_status, resource_type, resource_id,
     resource_version, created_at)
  SELECT caller, route, key, fingerprint, operation_id, 201, 'payment', id, 1, created_at
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
  RETURNING id, status, created_at, metadata
), event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, to_status, at, actor, cause)
  SELECT inserted.id, 1, operation_id, inserted.status, inserted.created_at, caller::text, 'create'
    FROM inserted JOIN input USING (id)
)
SELECT nth, inserted.metadata
  FROM inserted JOIN input USING (id)`,
  batched: { conflictKeys: keysOfKeyed },
}

/** Inserts a payment; undefined when its id or its idempotency key is there already, or in use. */
export async function insert(run: Run, insertion: Insertion): Promise<Payment | undefined> {
  const { payment, operationId, keyed } = insertion
  const [inserted] = await run<Pick<Payment, 'metadata'>>(INSERT, [
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
      ...columnsOf(keyed),
    },
  ])
  // All else is as it was sent; of a JSON object PostgreSQL has its own order of fields.
  return inserted && { ...payment, ...newborn(payment.createdAt), metadata: inserted.metadata }
}

const newborn = (createdAt: string): Pick<Payment, LaterColumn> => ({
  providerName: null,
  providerTransactionId: null,
  lastWebhookId: null,
  lastWebhookAt: null,
  updatedAt: createdAt,
  version: 1,
})

/** Who asks for a payment: its owner, or an operator who sees everyone's. */
export interface Reader {
  readonly id: string | undefined
  readonly everyone: boolean
}

const FIND: Statement = {
  name: 'payment_find',
  text: `
SELECT nth, ${paymentColumns('payments')}
  FROM json_to_recordset($1) AS input (nth integer, id uuid, reader uuid, everyone boolean)
  JOIN payments USING (id)
 WHERE owner_id = reader OR everyone`,
  batched: {},
}

/** The payment, if it exists for this reader. */
export async function find(run: Run, id: string, reader: Reader): Promise<Payment | undefined> {
  const { id: readerId, everyone } = reader
  const [payment] = await run<Payment>(FIND, [{ id, reader: readerId, everyone }])
  return payment
}

const MADE_BY: Statement = {
  name: 'payment_made_by',
  text: `
SELECT nth, ${paymentColumns('payments', 'event', { status: 'to_status', updatedAt: 'at' })}
  FROM json_to_recordset($1) AS input (nth integer, operation_id uuid)
  JOIN payment_events AS event USING (operation_id)
  JOIN payments ON payments.id = event.payment_id`,
  batched: {},
}

/** The payment as an operation left it, whatever came after; undefined if the operation did nothing. */
export async function madeBy(run: Run, operationId: string): Promise<Payment | undefined> {
  const [payment] = await run<Payment>(MADE_BY, [{ operation_id: operationId }])
  return payment
}

const AT_VERSION: Statement = {
  name: 'payment_at_version',
  text: `
SELECT nth, ${paymentColumns('payments', 'event', { status: 'to_status', updatedAt: 'at' })}
  FROM json_to_recordset($1) AS input (nth integer, id uuid, version integer)
  JOIN payments USING (id)
  JOIN payment_events AS event
    ON event.payment_id = payments.id AND event.version = input.version`,
  batched: {},
}

/** The payment at an earlier version, from its events. */
export async function findVersion(
  run: Run,
  id: string,
  version: number,
): Promise<Payment | undefined> {
  const [payment] = await run<Payment>(AT_VERSION, [{ id, version }])
  return payment
}

import type { Run, Statement } from '@malipo/kit/postgres/database'
import {
  columnsOf,
  isAdmitted,
  type Keyed,
  type KeyedValues,
  keysOfKeyed,
} from '../idempotency/keyed.js'
import { paymentColumns } from './payment-columns.js'
import type { Payment } from './payment.entity.js'
import type { Reader } from './payments.store.js'
import type { Status } from './transitions.js'

/** A wish to change a payment's status. */
export interface Transition {
  readonly id: string
  readonly reader: Reader
  readonly to: Status
  /** The statuses that allow it, from the table. */
  readonly from: readonly Status[]
  /** Versions that `If-Match` names. */
  readonly versions: readonly number[] | undefined
  readonly providerTransactionId: string | undefined
  readonly reason: string | undefined
  readonly at: Date
  readonly operationId: string
  readonly keyed: Keyed | undefined
}

/** What the database decided, and on what. */
export interface Verdict {
  readonly answer: 200 | 400 | 412
  readonly seenStatus: Status
  readonly seenVersion: number
  /** Whether the decision is this request's: false when its idempotency key was there already. */
  readonly decided: boolean
  /** The payment after the change. */
  readonly payment: Payment | undefined
}

/*
 * The row is locked before it is judged, so of concurrent callers each sees what the one before it left.
 * The update goes by that verdict alone: its own look at the status would be through the statement's
 * snapshot, where the row is still as it was before the wait. A refusal takes the key as a change does.
 * Rows are locked in the order of their ids, so that two crowds don't wait for each other.
 */
const TRANSITION: Statement = {
  name: 'payment_transition',
  text: `
WITH input AS (
  SELECT *
    FROM json_to_recordset($1)
      AS input (nth integer, id uuid, caller uuid, everyone boolean, to_status text,
                from_statuses text[], versions integer[], provider_transaction_id text,
                reason text, at timestamptz, operation_id uuid, key text, route text,
                fingerprint bytea)
), admitted AS MATERIALIZED (
  SELECT * FROM input WHERE ${isAdmitted('key')}
), target AS MATERIALIZED (
  SELECT payments.id, payments.status, payments.version
    FROM admitted JOIN payments USING (id)
   WHERE owner_id = caller OR everyone
   ORDER BY id
     FOR UPDATE OF payments
), verdict AS MATERIALIZED (
  SELECT admitted.*, target.status, target.version,
         CASE WHEN target.version <> ALL (versions) THEN 412
              WHEN target.status = ANY (from_statuses) THEN 200
              ELSE 400 END AS answer
    FROM admitted JOIN target USING (id)
), claimed AS (
  INSERT INTO idempotency_keys
    (caller, route, key, fingerprint, operation_id, response_status, resource_type, resource_id,
     resource_version, created_at)
  SELECT caller, route, key, fingerprint, operation_id, answer, 'payment', id,
         CASE WHEN answer = 200 THEN version + 1 ELSE version END, at
    FROM verdict
   WHERE key IS NOT NULL
      ON CONFLICT DO NOTHING
  RETURNING operation_id
), decided AS (
  SELECT *, key IS NULL OR operation_id IN (SELECT operation_id FROM claimed) AS mine FROM verdict
), changed AS (
  UPDATE payments
     SET status = to_status,
         provider_transaction_id =
           coalesce(decided.provider_transaction_id, payments.provider_transaction_id),
         updated_at = at,
         version = payments.version + 1
    FROM decided
   WHERE payments.id = decided.id
     AND mine AND answer = 200
  RETURNING payments.*
), event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, from_status, to_status, at, actor, cause, reason,
     provider_name, provider_transaction_id, last_webhook_id, last_webhook_at)
  SELECT changed.id, changed.version, operation_id, decided.status, changed.status, at,
         caller::text, 'status', reason, changed.provider_name, changed.provider_transaction_id,
         changed.last_webhook_id, changed.last_webhook_at
    FROM changed JOIN decided USING (id)
)
SELECT nth, answer, mine AS decided, decided.status AS "seenStatus", decided.version AS "seenVersion",
       ${paymentColumns('changed')}
  FROM decided LEFT JOIN changed USING (id)`,
  batched: { conflictKeys: ({ id, ...keyed }: TransitionValues) => [id, ...keysOfKeyed(keyed)] },
}

type TransitionValues = KeyedValues & { readonly id: string }

type Row = Omit<Verdict, 'payment'> & Payment

/** Moves a payment's status, or says why not; undefined when it is not there for this reader, or in use. */
export async function transition(run: Run, wish: Transition): Promise<Verdict | undefined> {
  const { reader, keyed } = wish
  const [row] = await run<Row>(TRANSITION, [
    {
      id: wish.id,
      caller: reader.id,
      everyone: reader.everyone,
      to_status: wish.to,
      from_statuses: wish.from,
      versions: wish.versions,
      provider_transaction_id: wish.providerTransactionId,
      reason: wish.reason,
      at: wish.at,
      operation_id: wish.operationId,
      ...columnsOf(keyed),
    },
  ])
  if (!row) return undefined
  const { answer, decided, seenStatus, seenVersion, ...payment } = row
  return { answer, decided, seenStatus, seenVersion, payment: payment.id ? payment : undefined }
}

import type { Run, Statement } from '@malipo/kit/postgres/database'
import { paymentColumns } from '../payments/payment-columns.js'
import type { Payment } from '../payments/payment.entity.js'
import type { Reader } from '../payments/payments.store.js'
import type { Status } from '../payments/transitions.js'

/**
 * The inbox of webhooks. An id counts once for its source: the row that remembers it is written by the
 * statement that applies it, so neither is there without the other.
 */

/** A webhook whose sender is known. */
export interface Arrival {
  /** `provider:{name}` or `user:{sub}`: whose ids these are. */
  readonly source: string
  readonly webhookId: string
  readonly paymentId: string | undefined
  readonly reference: string
  readonly reader: Reader
  readonly status: Status
  /** The statuses from which it can be applied, and those for which it comes too early. */
  readonly from: readonly Status[]
  readonly tooEarlyFrom: readonly Status[]
  readonly providerName: string | undefined
  readonly providerTransactionId: string | undefined
  readonly payload: unknown
  readonly actor: string
  readonly at: Date
  readonly operationId: string
}

/** What became of it; `repeat` when its id was there already. */
export type Outcome = 'applied' | 'superseded' | 'early' | 'repeat'

// As for a transition, the update goes by the verdict on the locked row, not by its older snapshot of it.
const ARRIVE: Statement = {
  name: 'webhook_arrive',
  text: `
WITH input AS (
  SELECT *
    FROM json_to_recordset($1)
      AS input (nth integer, source text, webhook_id text, id uuid, reader uuid, everyone boolean,
                to_status text, from_statuses text[], too_early_from text[], provider_name text,
                provider_transaction_id text, payload jsonb, actor text, at timestamptz,
                operation_id uuid)
), target AS MATERIALIZED (
  SELECT payments.id, payments.status
    FROM input JOIN payments USING (id)
   WHERE owner_id = reader OR everyone
   ORDER BY id
     FOR UPDATE OF payments
), verdict AS MATERIALIZED (
  SELECT input.*, target.status,
         CASE WHEN target.status = ANY (from_statuses) THEN 'applied'
              WHEN target.status = ANY (too_early_from) THEN 'early'
              ELSE 'superseded' END AS outcome
    FROM input JOIN target USING (id)
), kept AS (
  INSERT INTO webhooks
    (source, webhook_id, payment_id, status, outcome, operation_id, payload, received_at)
  SELECT source, webhook_id, id, to_status, outcome, operation_id, payload, at
    FROM verdict
   WHERE outcome <> 'early'
      ON CONFLICT (source, webhook_id) DO NOTHING
  RETURNING operation_id
), changed AS (
  UPDATE payments
     SET status = to_status,
         provider_name = coalesce(verdict.provider_name, payments.provider_name),
         provider_transaction_id =
           coalesce(verdict.provider_transaction_id, payments.provider_transaction_id),
         last_webhook_id = webhook_id,
         last_webhook_at = at,
         updated_at = at,
         version = payments.version + 1
    FROM verdict
   WHERE payments.id = verdict.id
     AND outcome = 'applied'
     AND operation_id IN (SELECT operation_id FROM kept)
  RETURNING payments.*
), event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, from_status, to_status, at, actor, cause,
     provider_name, provider_transaction_id, last_webhook_id, last_webhook_at)
  SELECT changed.id, changed.version, operation_id, verdict.status, changed.status, at, actor,
         'webhook', changed.provider_name, changed.provider_transaction_id,
         changed.last_webhook_id, changed.last_webhook_at
    FROM changed JOIN verdict USING (id)
)
SELECT nth,
       CASE WHEN outcome = 'early' THEN 'early'
            WHEN operation_id IN (SELECT operation_id FROM kept) THEN outcome
            ELSE 'repeat' END AS outcome,
       verdict.status AS "seenStatus",
       ${paymentColumns('changed')}
  FROM verdict LEFT JOIN changed USING (id)`,
  // A provider that does not wait for the answer has told its news all the same.
  batched: { conflictKeys: keysOf, evenIfAborted: true },
}

interface ArriveValues {
  readonly source: string
  readonly webhook_id: string
  readonly id: string | undefined
}

function keysOf({ source, webhook_id, id = '' }: ArriveValues): readonly string[] {
  return [id, `${source} ${webhook_id}`]
}

/** What the inbox says of an arrival. */
export interface Arrived {
  readonly outcome: Outcome
  readonly seenStatus: Status
  /** The payment after the change, when it was applied. */
  readonly payment: Payment | undefined
}

type ArrivedRow = Omit<Arrived, 'payment'> & Payment

/** Applies a webhook, or keeps it as evidence, or says why not; undefined when there is no such payment. */
export async function arrive(run: Run, arrival: Arrival): Promise<Arrived | undefined> {
  const [row] = await run<ArrivedRow>(ARRIVE, [
    {
      source: arrival.source,
      webhook_id: arrival.webhookId,
      id: arrival.paymentId,
      reader: arrival.reader.id,
      everyone: arrival.reader.everyone,
      to_status: arrival.status,
      from_statuses: arrival.from,
      too_early_from: arrival.tooEarlyFrom,
      provider_name: arrival.providerName,
      provider_transaction_id: arrival.providerTransactionId,
      payload: arrival.payload,
      actor: arrival.actor,
      at: arrival.at,
      operation_id: arrival.operationId,
    },
  ])
  if (!row) return undefined
  const { outcome, seenStatus, ...payment } = row
  return { outcome, seenStatus, payment: payment.id ? payment : undefined }
}

const KNOWN: Statement = {
  name: 'webhook_known',
  text: `
SELECT nth, webhooks.payment_id AS "paymentId", webhooks.status AS "toldStatus",
       webhooks.operation_id AS "operationId",
       ${paymentColumns('payments')}
  FROM json_to_recordset($1) AS input (nth integer, source text, webhook_id text)
  JOIN webhooks USING (source, webhook_id)
  JOIN payments ON payments.id = webhooks.payment_id`,
  batched: { evenIfAborted: true },
}

/** A webhook that was kept, and its payment as it stands now. */
export type Known = Payment & { paymentId: string; toldStatus: Status; operationId: string }

/** What was kept under an id of this source; undefined for a new one. */
export async function known(run: Run, arrival: Arrival): Promise<Known | undefined> {
  const [row] = await run<Known>(KNOWN, [{ source: arrival.source, webhook_id: arrival.webhookId }])
  return row
}

const CONFLICT: Statement = {
  name: 'webhook_conflict',
  text: `
INSERT INTO webhook_conflicts AS kept
  (source, webhook_id, reference, status, payload, first_at, last_at, last_operation_id)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
    ON CONFLICT ON CONSTRAINT webhook_conflicts_pkey
    DO UPDATE SET times = kept.times + 1, last_at = excluded.last_at, payload = excluded.payload,
                  last_operation_id = excluded.last_operation_id
     WHERE kept.last_operation_id <> excluded.last_operation_id`,
}

/** Keeps a webhook whose id belongs to another, as evidence, counted by what it says. */
export async function keepConflict(run: Run, arrival: Arrival): Promise<void> {
  await run(CONFLICT, [
    arrival.source,
    arrival.webhookId,
    arrival.reference,
    arrival.status,
    JSON.stringify(arrival.payload),
    arrival.at,
    arrival.operationId,
  ])
}

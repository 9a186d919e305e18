import type { Statement } from '@malipo/kit/postgres/database'
import {
  claimKeys,
  KEY_COLUMNS,
  keyConflicts,
  type KeyValues,
  TRY_LOCK_KEY,
} from '../idempotency/key-claim.js'

/** The `resource_type` of stored responses. */
export const RESOURCE_TYPE = 'payment'

/** The most requests for money to one payer in an hour that the limits can allow. */
export const MAX_PAYER_HOURLY = 100

/** The attempt, and its first work: to be sent now. */
const INSERT_ATTEMPT = `
), attempt AS (
  INSERT INTO payment_attempts
    (id, payment_id, account, reference, state, send_until, trace_parent, created_at, updated_at,
     version)
  SELECT attempt_id, id, account, attempt_reference, 'queued', send_until, trace_parent,
    input.created_at, input.created_at, 1
  FROM inserted
  JOIN input USING (id)
), work AS (
  INSERT INTO attempt_work (attempt_id, account, owner_id, call, due_at, send_until)
  SELECT attempt_id, account, caller, 'send', now(), send_until
  FROM inserted
  JOIN input USING (id)`

/*
 * Counts the payments of the payer and of the merchant. The counts are those of the statement's snapshot. They hold,
 * because the row of the payer is updated only if it still is as in the snapshot; otherwise nothing is inserted, and
 * the request is tried again. A repeated request with a stored key is neither limited nor counted.
 */
const CHECK_LIMITS = `
), limited AS MATERIALIZED (
  SELECT
    input.*,
    payer.last_attempt_id AS seen_attempt_id,
    CASE
      WHEN payer.recent[payer_hourly] > now() - interval '1 hour' THEN 'payer'
      WHEN payer_open <= (
        SELECT count(*)
        FROM payments AS open
        WHERE open.customer_phone = input.customer_phone
          AND open.account IS NOT NULL
          AND open.status IN ('INITIATED', 'PENDING')
      ) THEN 'payer'
      WHEN merchant_daily <= merchant.payments
        + count(*) OVER (PARTITION BY caller ORDER BY nth) - 1 THEN 'merchant'
    END AS reached
  FROM input
  LEFT JOIN payers AS payer ON payer.phone = input.customer_phone
  LEFT JOIN merchant_days AS merchant
    ON merchant.owner_id = input.caller AND merchant.day = (now() AT TIME ZONE 'UTC')::date
  WHERE key IS NULL OR NOT EXISTS (
    SELECT FROM idempotency_keys AS stored
    WHERE (stored.caller, stored.route, stored.key) = (input.caller, input.route, input.key)
  )
), counted AS (
  INSERT INTO payers AS payer (phone, last_attempt_id, recent)
  SELECT customer_phone, attempt_id, ARRAY[now()]
  FROM limited
  WHERE reached IS NULL
  ORDER BY customer_phone
  ON CONFLICT (phone) DO UPDATE
  SET
    last_attempt_id = excluded.last_attempt_id,
    recent = (excluded.recent || payer.recent)[1:${MAX_PAYER_HOURLY}]
  WHERE payer.last_attempt_id = (
    SELECT seen_attempt_id FROM limited WHERE attempt_id = excluded.last_attempt_id
  )
  RETURNING last_attempt_id AS attempt_id
), admitted AS MATERIALIZED (
  SELECT limited.* FROM limited JOIN counted USING (attempt_id)
), merchants AS (
  INSERT INTO merchant_days AS merchant (owner_id, day, payments)
  SELECT caller, (now() AT TIME ZONE 'UTC')::date, count(*)
  FROM admitted
  GROUP BY caller
  ORDER BY caller
  ON CONFLICT (owner_id, day) DO UPDATE SET payments = merchant.payments + excluded.payments`

interface Parts {
  readonly attempt: boolean
  readonly limits: boolean
}

/** Several statements, so that a payment without an account, and one without limits, costs no more than it must. */
const insertStatement = (name: string, { attempt, limits }: Parts): Statement => ({
  name,
  text: `
WITH input AS MATERIALIZED (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, id uuid, amount_minor bigint, currency text, payment_method text,
    customer_phone text, customer_email text, description text, metadata jsonb, status text,
    created_at timestamptz, account text, provider_name text, attempt_id uuid,
    attempt_reference text, send_until timestamptz, trace_parent text, payer_open integer, payer_hourly integer,
    merchant_daily integer, ${KEY_COLUMNS}
  )
  WHERE ${TRY_LOCK_KEY}${limits ? CHECK_LIMITS : ''}
), claimed AS (${claimKeys({
    from: limits ? 'admitted' : 'input',
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
  FROM ${limits ? 'admitted' : 'input'}
  WHERE key IS NULL OR operation_id IN (SELECT operation_id FROM claimed)
  ON CONFLICT (id) DO NOTHING
  RETURNING id, status, created_at, provider_name, metadata
), event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, owner_id, to_status, at, actor, cause, provider_name)
  SELECT
    inserted.id, 1, operation_id, caller, inserted.status, inserted.created_at, caller::text,
    'create', inserted.provider_name
  FROM inserted
  JOIN input USING (id)${attempt ? INSERT_ATTEMPT : ''}
)
SELECT nth, inserted.metadata${limits ? ', NULL AS limit' : ''}
FROM inserted
JOIN input USING (id)${
    limits
      ? `
UNION ALL
SELECT nth, NULL, reached FROM limited WHERE reached IS NOT NULL`
      : ''
  }`,
  batched: {
    conflictKeys: ({ customer_phone, ...key }: KeyValues & { customer_phone: string }) =>
      limits ? [customer_phone, ...keyConflicts(key)] : keyConflicts(key),
  },
})

const INSERT = insertStatement('payment_insert', { attempt: false, limits: false })
const WITH_ATTEMPT = insertStatement('payment_insert_with_attempt', {
  attempt: true,
  limits: false,
})
const WITH_LIMITS = insertStatement('payment_insert_with_limits', { attempt: true, limits: true })

/** The statement that inserts a payment with this attempt, or without one. */
export function statementFor(attempt: { readonly limits: object | undefined } | undefined) {
  if (!attempt) return INSERT
  return attempt.limits ? WITH_LIMITS : WITH_ATTEMPT
}

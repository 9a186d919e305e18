import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { TokenBucket } from '../providers/accounts.js'
import type { AttemptState } from './states.js'

/**
 * Claims the calls that are due, of one account and kind. A claim spends a token of the account's bucket for each
 * call, and takes a lease. Replicas never wait for one another: a row that another one has locked is skipped.
 */

export type CallKind = 'send' | 'query'

export interface ClaimRequest {
  readonly account: string
  /** How many calls the replica can make now. */
  readonly free: number
  readonly leaseId: string
  readonly leaseSeconds: number
  readonly bucket: TokenBucket
}

/** A claimed call, with what it is made from. */
export interface Claimed {
  readonly attemptId: string
  readonly paymentId: string
  readonly ownerId: string
  readonly state: AttemptState
  readonly reference: string
  readonly providerReference: string | null
  readonly amountMinor: string
  readonly currency: string
  readonly phone: string
  /** ISO 8601, by the database's clock. */
  readonly claimedAt: string
  readonly sentAt: string | null
  readonly sendUntil: string
  /** Of the request that created the payment, if it was recorded. */
  readonly traceParent: string | null
  /** Calls of this kind, including this one. */
  readonly tries: number
  readonly misses: number
  /** Failed calls of the account in a row. */
  readonly failures: number
}

/** A replica claims no row whose format it does not know: a later release may have written it. */
const FORMAT = 1

/** The most rows of one claim. A constant limit below the computed one lets the planner use the index. */
const MAX_CLAIMED = 64

/** With this many failures in a row, the circuit is open until `open_until`, and then allows one call. */
export const CIRCUIT_FAILURES = 5
/** While the circuit of queries is open, they continue at this fraction of the rate. */
const OPEN_QUERY_RATE = 0.1

const PARAMETERS = `
  $1::text AS account, $2::integer AS free, $3::uuid AS lease_id, $4::numeric AS lease_seconds,
  $5::float8 AS refill, $6::float8 AS burst`

/** The tokens of the bucket. Without the row of the bucket, which another replica has locked, nothing is claimed. */
const gate = (call: CallKind, condition: string, refill: string) => `
  SELECT
    failures,
    least(burst, tokens + ${refill} * extract(epoch FROM clock_timestamp() - refilled_at)) AS tokens
  FROM provider_call_limits
  JOIN parameters USING (account)
  WHERE call = '${call}' AND ${condition}
  FOR NO KEY UPDATE OF provider_call_limits SKIP LOCKED`

/** `LIMIT NULL` is no limit: without a gate, the limit must be 0. */
const LIMIT = `
  LIMIT coalesce((
    SELECT least(free, floor(tokens), CASE WHEN failures >= ${CIRCUIT_FAILURES} THEN 1 END)::integer
    FROM gate, parameters
  ), 0)`

const spend = (call: CallKind, claimed: string) => `
  UPDATE provider_call_limits AS limits
  SET tokens = gate.tokens - (SELECT count(*) FROM ${claimed}), refilled_at = clock_timestamp()
  FROM gate, parameters
  WHERE limits.account = parameters.account
    AND call = '${call}'
    AND EXISTS (SELECT FROM ${claimed})`

const claimedColumns = (attempt: string, work: string) => `
  ${attempt}.id AS "attemptId",
  payments.id AS "paymentId",
  payments.owner_id AS "ownerId",
  ${attempt}.state,
  ${attempt}.reference,
  ${attempt}.provider_reference AS "providerReference",
  payments.amount_minor AS "amountMinor",
  payments.currency,
  payments.customer_phone AS phone,
  ${isoTime('now()')} AS "claimedAt",
  ${isoTime(`${attempt}.sent_at`)} AS "sentAt",
  ${isoTime(`${attempt}.send_until`)} AS "sendUntil",
  ${attempt}.trace_parent AS "traceParent",
  ${work}.tries,
  ${work}.misses`

/**
 * The rows that `due` has locked, by their place in the table. By their key, the planner may choose to read the table
 * as a whole, if it was small at the time: until the next vacuum, it may contain 100,000 dead rows.
 */
const LOCKED_WORK = 'work.ctid = ANY (ARRAY(SELECT tid FROM due))'

const CLAIM_SENDS: Statement = {
  name: 'attempt_claim_sends',
  text: `
WITH parameters AS (SELECT ${PARAMETERS}
), gate AS MATERIALIZED (${gate('send', 'open_until <= clock_timestamp()', 'refill')}
), due AS MATERIALIZED (
  SELECT attempt_id, payment_id, tid
  FROM (
    SELECT work.attempt_id, attempt.payment_id, work.ctid AS tid
    FROM attempt_work AS work
    JOIN payment_attempts AS attempt ON attempt.id = work.attempt_id
    JOIN payments ON payments.id = attempt.payment_id
    WHERE work.account = $1
      AND work.call = 'send'
      AND work.priority = 1
      AND work.due_at <= now()
      AND work.send_until > now()
      AND work.format <= ${FORMAT}
      AND attempt.state = 'queued'
    ORDER BY work.due_at
    LIMIT ${MAX_CLAIMED}
    FOR NO KEY UPDATE OF work, attempt, payments SKIP LOCKED
  ) AS head
  ${LIMIT}
), begun AS (
  UPDATE payment_attempts AS attempt
  SET
    state = 'sending',
    sent_at = coalesce(sent_at, now()),
    updated_at = now(),
    version = version + 1
  FROM due
  WHERE attempt.id = due.attempt_id
  RETURNING attempt.*
), leased AS (
  -- If this replica dies, the row becomes due as a query: the request may have been sent.
  UPDATE attempt_work AS work
  SET
    call = 'query',
    lease_id = parameters.lease_id,
    due_at = now() + make_interval(secs => lease_seconds::float8),
    tries = tries + 1
  FROM parameters
  WHERE ${LOCKED_WORK}
  RETURNING work.attempt_id, work.tries, work.misses
), attempt_event AS (
  INSERT INTO attempt_events
    (attempt_id, version, operation_id, from_state, to_state, cause, actor, at)
  SELECT id, version, $3, 'queued', 'sending', 'claim', account, updated_at
  FROM begun
), moved AS (
  UPDATE payments
  SET
    status = 'PENDING',
    attempt_version = begun.version,
    updated_at = begun.updated_at,
    version = payments.version + 1
  FROM begun
  WHERE payments.id = begun.payment_id AND status = 'INITIATED'
  RETURNING payments.*
), payment_event AS (
  INSERT INTO payment_events
    (payment_id, version, operation_id, owner_id, from_status, to_status, at, actor, cause,
     provider_name, needs_attention)
  SELECT
    id, version, uuidv7(), owner_id, 'INITIATED', 'PENDING', updated_at, account, 'attempt',
    provider_name, needs_attention
  FROM moved
), spent AS (${spend('send', 'begun')}
)
SELECT ${claimedColumns('begun', 'leased')}, (SELECT failures FROM gate)
FROM begun
JOIN leased ON leased.attempt_id = begun.id
JOIN payments ON payments.id = begun.payment_id`,
}

/** The first rows of one priority that are due. */
const dueQueries = (priority: number) => `
    SELECT *
    FROM (
      SELECT ctid AS tid
      FROM attempt_work
      WHERE account = $1
        AND call = 'query'
        AND priority = ${priority}
        AND due_at <= now()
        AND format <= ${FORMAT}
      ORDER BY due_at
      LIMIT ${MAX_CLAIMED}
      FOR NO KEY UPDATE SKIP LOCKED
    ) AS of_priority_${priority}`

const CLAIM_QUERIES: Statement = {
  name: 'attempt_claim_queries',
  text: `
WITH parameters AS (SELECT ${PARAMETERS}
), gate AS MATERIALIZED (${gate(
    'query',
    'true',
    `refill * CASE WHEN open_until > clock_timestamp() THEN ${OPEN_QUERY_RATE} ELSE 1 END`,
  )}
), due AS MATERIALIZED (
  SELECT tid
  FROM (${[0, 1, 2].map(dueQueries).join('\n    UNION ALL')}
  ) AS head
  ${LIMIT}
), leased AS (
  UPDATE attempt_work AS work
  SET
    lease_id = parameters.lease_id,
    due_at = now() + make_interval(secs => lease_seconds::float8),
    tries = tries + 1
  FROM parameters
  WHERE ${LOCKED_WORK}
  RETURNING work.attempt_id, work.tries, work.misses
), spent AS (${spend('query', 'leased')}
)
SELECT ${claimedColumns('attempt', 'leased')}, (SELECT failures FROM gate)
FROM leased
JOIN payment_attempts AS attempt ON attempt.id = leased.attempt_id
JOIN payments ON payments.id = attempt.payment_id`,
}

const FIND_LEASED: Statement = {
  name: 'attempt_find_leased',
  text: `
SELECT ${claimedColumns('attempt', 'work')}, 0 AS failures
FROM attempt_work AS work
JOIN payment_attempts AS attempt ON attempt.id = work.attempt_id
JOIN payments ON payments.id = attempt.payment_id
WHERE work.lease_id = $1`,
}

/** Claims calls: after a lost connection, those that an earlier attempt of this claim has taken. */
export async function claim(
  run: Run,
  call: CallKind,
  { account, free, leaseId, leaseSeconds, bucket }: ClaimRequest,
  retried: boolean,
): Promise<Claimed[]> {
  if (retried) {
    const own = await run<Claimed>(FIND_LEASED, [leaseId])
    if (own.length > 0) return own
  }
  const statement = call === 'send' ? CLAIM_SENDS : CLAIM_QUERIES
  const values = [account, free, leaseId, leaseSeconds, bucket.refillPerSecond, bucket.burst]
  return run<Claimed>(statement, values)
}

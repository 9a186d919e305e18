import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { AttemptState } from './states.js'

/** An attempt with the money of its payment. */
export interface FoundAttempt {
  readonly attemptId: string
  readonly account: string
  readonly state: AttemptState
  readonly amountMinor: string
  readonly currency: string
}

const FIND_OF_PAYMENT: Statement = {
  name: 'attempt_find_of_payment',
  text: `
SELECT
  nth,
  attempt.id AS "attemptId",
  attempt.account,
  attempt.state,
  payments.amount_minor AS "amountMinor",
  payments.currency
FROM json_to_recordset($1) AS input (nth integer, payment_id uuid)
JOIN payment_attempts AS attempt USING (payment_id)
JOIN payments ON payments.id = attempt.payment_id`,
  batched: { evenIfAborted: true },
}

export async function findAttemptOf(
  run: Run,
  paymentId: string,
): Promise<FoundAttempt | undefined> {
  const [found] = await run<FoundAttempt>(FIND_OF_PAYMENT, [{ payment_id: paymentId }])
  return found
}

const FIND: Statement = {
  name: 'attempt_find',
  text: `
SELECT
  nth,
  attempt.id AS "attemptId",
  attempt.account,
  attempt.state,
  payments.amount_minor AS "amountMinor",
  payments.currency
FROM json_to_recordset($1) AS input (nth integer, attempt_id uuid)
JOIN payment_attempts AS attempt ON attempt.id = input.attempt_id
JOIN payments ON payments.id = attempt.payment_id`,
  batched: { evenIfAborted: true },
}

export async function findAttempt(run: Run, attemptId: string): Promise<FoundAttempt | undefined> {
  const [found] = await run<FoundAttempt>(FIND, [{ attempt_id: attemptId }])
  return found
}

const FIND_UNSENDABLE: Statement = {
  name: 'attempt_find_unsendable',
  text: `
SELECT attempt_id AS "attemptId", name AS account
FROM unnest($1::text[]) AS name
CROSS JOIN LATERAL (
  SELECT attempt_id
  FROM attempt_work AS work
  WHERE work.account = name
    AND work.call = 'send'
    AND work.send_until <= CASE WHEN name = ANY ($2::text[]) THEN 'infinity' ELSE now() END
  ORDER BY work.send_until
  LIMIT $3
) AS unsendable
LIMIT $3`,
}

/** Attempts that were not sent in time, or whose account is draining: the first ones of the accounts, at most `limit`. */
export async function findUnsendable(
  run: Run,
  accounts: readonly string[],
  draining: readonly string[],
  limit: number,
): Promise<Pick<FoundAttempt, 'attemptId' | 'account'>[]> {
  return run(FIND_UNSENDABLE, [accounts, draining, limit])
}

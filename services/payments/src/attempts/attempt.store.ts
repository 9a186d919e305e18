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
SELECT attempt.id AS "attemptId", attempt.account
FROM attempt_work AS work
JOIN payment_attempts AS attempt ON attempt.id = work.attempt_id
WHERE work.account = ANY ($1::text[])
  AND work.call = 'send'
  AND (attempt.send_until <= now() OR work.account = ANY ($2::text[]))
ORDER BY work.due_at
LIMIT $3`,
}

/** Attempts that were not sent in time, or whose account is draining. */
export async function findUnsendable(
  run: Run,
  accounts: readonly string[],
  draining: readonly string[],
  limit: number,
): Promise<Pick<FoundAttempt, 'attemptId' | 'account'>[]> {
  return run(FIND_UNSENDABLE, [accounts, draining, limit])
}

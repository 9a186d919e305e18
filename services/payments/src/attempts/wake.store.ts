import type { Run, Statement } from '@malipo/kit/postgres/database'

/** Makes a query due before its time. */

const REQUEST: Statement = {
  name: 'attempt_query_request',
  text: `
WITH input AS (
  SELECT * FROM json_to_recordset($1) AS input (nth integer, payment_id uuid)
), wanted AS (
  SELECT nth, work.attempt_id
  FROM input
  JOIN payment_attempts AS attempt USING (payment_id)
  JOIN attempt_work AS work ON work.attempt_id = attempt.id
  WHERE call = 'query'
    AND lease_id IS NULL
    AND due_at > now() + interval '1 second'
    AND closed_at IS NULL
    AND greatest(requested_at, sent_at) < now() - interval '10 seconds'
    -- Merchants share what the other queries leave of the provider's rate.
    AND (
      SELECT count(*)
      FROM attempt_work AS requested
      WHERE requested.account = work.account
        AND requested.owner_id = work.owner_id
        AND requested.priority = 2
    ) < 4
  ORDER BY work.attempt_id
  FOR NO KEY UPDATE OF work SKIP LOCKED
)
UPDATE attempt_work AS work
SET priority = 2, due_at = now(), requested_at = now()
FROM wanted
WHERE work.attempt_id = wanted.attempt_id
RETURNING nth, account`,
  batched: { conflictKeys: ({ payment_id }: { payment_id: string }) => [payment_id] },
}

/**
 * Makes the query of a payment's attempt due, because its owner asks for the payment. At most once in 10 seconds, and
 * for 4 payments of a merchant at once.
 *
 * @returns the account; undefined if no query is due now
 */
export async function requestQuery(run: Run, paymentId: string): Promise<string | undefined> {
  const [row] = await run<{ account: string }>(REQUEST, [{ payment_id: paymentId }])
  return row?.account
}

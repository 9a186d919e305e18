import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { Attention, AttemptState } from './states.js'

/** Reads the current numbers of attempts, for metrics. Each count stops at 10000, which bounds the cost. */
const MAX_COUNT = 10_000

const ACCOUNTS = `(SELECT name FROM provider_accounts WHERE state <> 'closed')`

const OPEN: Statement = {
  name: 'attempts_open_count',
  text: `
    SELECT accounts.name AS account, found.state, count(*)::integer AS count
    FROM ${ACCOUNTS} AS accounts
    CROSS JOIN LATERAL (
      SELECT attempt.state
      FROM attempt_work AS work
      JOIN payment_attempts AS attempt ON attempt.id = work.attempt_id
      WHERE work.account = accounts.name AND attempt.closed_at IS NULL
      LIMIT ${MAX_COUNT}
    ) AS found
    GROUP BY 1, 2`,
}

/** An account that is closed may still have attempts that need an operator. */
const ATTENTION: Statement = {
  name: 'attempts_attention_count',
  text: `
    SELECT account, attention AS reason, count(*)::integer AS count
    FROM (
      SELECT account, attention
      FROM payment_attempts
      WHERE attention IS NOT NULL
      ORDER BY id DESC
      LIMIT ${MAX_COUNT}
    ) AS flagged
    GROUP BY 1, 2`,
}

/** A lease that has expired is due again; the lease of a call under way ends in the future. */
const OLDEST_DUE: Statement = {
  name: 'attempts_oldest_due',
  text: `
    SELECT accounts.name AS account, calls.call, max(coalesce(extract(epoch FROM now() - (
      SELECT due_at
      FROM attempt_work AS work
      WHERE work.account = accounts.name
        AND work.call = calls.call
        AND work.priority = priorities.priority
        AND due_at <= now()
      ORDER BY due_at
      LIMIT 1
    )), 0)) AS seconds
    FROM ${ACCOUNTS} AS accounts,
      unnest(ARRAY['send', 'query']) AS calls (call),
      unnest(ARRAY[0, 1, 2]) AS priorities (priority)
    GROUP BY 1, 2`,
}

export type AttemptCounts = Awaited<ReturnType<typeof readAttemptCounts>>

export async function readAttemptCounts(run: Run) {
  const open = await run<{ account: string; state: AttemptState; count: number }>(OPEN, [])
  const attention = await run<{ account: string; reason: Attention; count: number }>(ATTENTION, [])
  const oldestDue = await run<{ account: string; call: 'send' | 'query'; seconds: string }>(
    OLDEST_DUE,
    [],
  )
  return { open, attention, oldestDue }
}

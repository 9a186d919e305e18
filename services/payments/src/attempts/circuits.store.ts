import type { Run, Statement } from '@malipo/kit/postgres/database'
import { type CallKind, CIRCUIT_FAILURES } from './claim.store.js'

/** Whether the calls of an account fail in a row, of all replicas. */
export interface Circuit {
  readonly account: string
  readonly call: CallKind
  readonly isOpen: boolean
}

const READ: Statement = {
  name: 'provider_circuits_read',
  text: `
    SELECT account, call, failures >= ${CIRCUIT_FAILURES} AS "isOpen"
    FROM provider_call_limits
    JOIN provider_accounts ON provider_accounts.name = provider_call_limits.account
    WHERE provider_accounts.state <> 'closed'`,
}

/** The circuits of all accounts that are not closed. One that lets a single call through is still open. */
export async function readCircuits(run: Run): Promise<Circuit[]> {
  return run<Circuit>(READ, [])
}

const RECORD_CALL: Statement = {
  name: 'provider_call_record',
  text: `
UPDATE provider_call_limits
SET
  failures = CASE WHEN $3::boolean THEN failures + 1 ELSE 0 END,
  open_until = CASE
    WHEN $3 AND failures + 1 >= ${CIRCUIT_FAILURES} THEN now() + make_interval(
      secs => least($4::float8, $5::float8 * 2 ^ least(failures + 1 - ${CIRCUIT_FAILURES}, 20)))
    ELSE '-infinity'
  END
WHERE account = $1
  AND call = $2
  -- Calls that began before the circuit opened do not extend its pause.
  AND ($3 AND open_until <= now() OR NOT $3 AND failures > 0)
RETURNING failures`,
}

export interface CircuitPause {
  readonly firstSeconds: number
  readonly maxSeconds: number
}

/** Counts a failed call, or resets the count. */
export async function recordCall(
  run: Run,
  account: string,
  call: CallKind,
  failed: boolean,
  { firstSeconds, maxSeconds }: CircuitPause,
): Promise<void> {
  await run(RECORD_CALL, [account, call, failed, maxSeconds, firstSeconds])
}

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

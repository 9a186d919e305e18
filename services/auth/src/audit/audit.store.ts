import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { Origin } from '../client-context/client-context.js'

/** Failed logins, which write nothing else. Other events are written by the statements that cause them. */

export interface LoginFailure {
  /** Also the operation id. */
  id: string
  /** null if no account has the phone. */
  userId: string | null
  origin: Origin
}

const LOGIN_FAILURE: Statement = {
  name: 'login_failure_insert',
  text: `
    INSERT INTO audit_events (id, kind, user_id, address, user_agent)
    VALUES ($1, 'login_failure', $2, $3, $4)
    ON CONFLICT ON CONSTRAINT audit_events_pkey DO NOTHING`,
}

export async function recordLoginFailure(run: Run, failure: LoginFailure): Promise<void> {
  const { id, userId, origin } = failure
  await run(LOGIN_FAILURE, [id, userId, origin.address, origin.userAgent])
}

const FIND_EVENT: Statement = {
  name: 'audit_event_by_id',
  text: `SELECT 1 FROM audit_events WHERE id = $1`,
}

/**
 * The number of sessions that a change revoked; undefined if the change did not apply. If an earlier attempt
 * of a retried change was committed, its audit event has the operation id. Then the number is lost, and the
 * result is 0.
 */
export async function countOrRecover(
  run: Run,
  operation: { id: string; retried: boolean },
  changed: { revoked: number } | undefined,
): Promise<number | undefined> {
  if (changed) return changed.revoked
  if (!operation.retried) return undefined
  return (await run(FIND_EVENT, [operation.id])).length > 0 ? 0 : undefined
}

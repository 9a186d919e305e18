import type { Run } from '@malipo/kit/postgres/database'
import type { Origin } from '../sessions/origin.js'

/** What is written on its own, because nothing else is; other events are in the statements that they tell of. */

export interface LoginFailure {
  /** Also the operation id. */
  id: string
  /** null: nobody has the phone. */
  userId: string | null
  origin: Origin
}

const LOGIN_FAILURE = {
  name: 'login-failure',
  text: `
    INSERT INTO audit_events (id, kind, user_id, address, user_agent)
    VALUES ($1, 'login_failure', $2, $3, $4)
    ON CONFLICT ON CONSTRAINT audit_events_pkey DO NOTHING`,
}

const IS_NOTED = {
  name: 'is-noted',
  text: `SELECT 1 FROM audit_events WHERE id = $1`,
}

/** Whether an operation whose event has this id was carried out. */
export async function isNoted(run: Run, id: string): Promise<boolean> {
  return (await run(IS_NOTED, [id])).length > 0
}

export async function noteLoginFailure(run: Run, failure: LoginFailure): Promise<void> {
  const { id, userId, origin } = failure
  await run(LOGIN_FAILURE, [id, userId, origin.address, origin.userAgent])
}

import type { Run } from '@malipo/kit/postgres/database'
import { isNoted } from '../audit/audit.store.js'
import type { Ended } from '../revocations/revocations.js'
import type { Origin } from './origin.js'

/** How sessions end; a trigger notes each end for the audit trail and for Redis. */

export interface Ending {
  sid: string
  /** Whose session it is, and who ends it. */
  sub: string
  cause: 'logout' | 'revoked'
}

const END_SESSION = {
  name: 'end-session',
  text: `
    WITH target AS MATERIALIZED (
      SELECT id, revoked_at FROM sessions WHERE id = $1 AND user_id = $2 FOR UPDATE
    ), ended AS (
      UPDATE sessions
      SET revoked_at = clock_timestamp(), revocation_cause = $3, revoked_by = $2
      FROM target
      WHERE sessions.id = target.id AND target.revoked_at IS NULL
      RETURNING sessions.id, sessions.revoked_at
    )
    SELECT target.id AS sid, coalesce(ended.revoked_at, target.revoked_at) AS at,
           ended.id IS NOT NULL AS now
    FROM target
    LEFT JOIN ended ON ended.id = target.id`,
}

/**
 * Ends a user's session; one that is over already is found as it was left, since its user may be trying
 * again after an answer that was lost. undefined when the user has no such session.
 *
 * `now` says whether it was this call that ended it.
 */
export async function endSession(
  run: Run,
  { sid, sub, cause }: Ending,
): Promise<(Ended & { now: boolean }) | undefined> {
  return (await run<Ended & { now: boolean }>(END_SESSION, [sid, sub, cause]))[0]
}

export interface NewPassword {
  /** Of its event in the audit trail; also the operation id. */
  id: string
  userId: string
  /** The session that goes on. */
  sid: string
  /** Of the password that was given as the current one. */
  passwordVersion: number
  passwordHash: string
  origin: Origin
}

const CHANGE_PASSWORD = {
  name: 'change-password',
  text: `
    WITH changed AS (
      UPDATE users
      SET password_hash = $5, password_version = password_version + 1
      WHERE id = $2 AND password_version = $4
      RETURNING id
    ), audited AS (
      INSERT INTO audit_events (id, kind, user_id, actor_id, session_id, address, user_agent)
      SELECT $1, 'password_change', id, id, $3::uuid, $6::inet, $7::text
      FROM changed
    )
    SELECT count(ended.session_id)::integer AS ended
    FROM changed
    LEFT JOIN LATERAL revoke_sessions_of(changed.id, $3::uuid, 'password', changed.id) AS ended ON true
    GROUP BY changed.id`,
}

/**
 * Puts a new password in place and ends the user's other sessions.
 *
 * @returns how many it ended; undefined when the current password has become another one meanwhile
 */
export async function changePassword(
  run: Run,
  retried: boolean,
  change: NewPassword,
): Promise<number | undefined> {
  const { id, userId, sid, passwordVersion, passwordHash, origin } = change
  const [changed] = await run<{ ended: number }>(CHANGE_PASSWORD, [
    id,
    userId,
    sid,
    passwordVersion,
    passwordHash,
    origin.address,
    origin.userAgent,
  ])
  if (changed) return changed.ended
  if (!retried) return undefined
  // An earlier try may have done it: its event has our id.
  return (await isNoted(run, id)) ? 0 : undefined
}

import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { RevokedSession } from '../revocations/outbox.store.js'

export interface Revocation {
  sid: string
  /** The session's user, who revokes it. */
  sub: string
  cause: 'logout' | 'revoked'
}

const SESSION_REVOKE: Statement = {
  name: 'session_revoke',
  text: `
    WITH target AS MATERIALIZED (
      SELECT id, revoked_at FROM sessions WHERE id = $1 AND user_id = $2 FOR UPDATE
    ), revoked AS (
      UPDATE sessions
      SET revoked_at = clock_timestamp(), revocation_cause = $3, revoked_by = $2
      FROM target
      WHERE sessions.id = target.id AND target.revoked_at IS NULL
      RETURNING sessions.id, sessions.revoked_at
    )
    SELECT target.id AS sid, coalesce(revoked.revoked_at, target.revoked_at) AS at,
           revoked.id IS NOT NULL AS "isNew"
    FROM target
    LEFT JOIN revoked ON revoked.id = target.id`,
}

/**
 * Revokes a user's session. If it is already revoked, it is returned unchanged and `isNew` is false, since
 * the client may retry after a lost response.
 *
 * @returns undefined if the user has no such session
 */
export async function revokeSession(
  run: Run,
  { sid, sub, cause }: Revocation,
): Promise<(RevokedSession & { isNew: boolean }) | undefined> {
  return (await run<RevokedSession & { isNew: boolean }>(SESSION_REVOKE, [sid, sub, cause]))[0]
}

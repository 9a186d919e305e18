import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { Origin } from '../client-context/client-context.js'
import type { TokenHashes } from './refresh-token.js'

export interface NewSession {
  id: string
  userId: string
  /** Version of the password that was checked. */
  passwordVersion: number
  hashes: TokenHashes
  lifetimeSeconds: number
  origin: Origin
}

/*
 * FOR SHARE makes a concurrent change of password or scopes wait until the session is committed, so that the
 * change revokes it. If the change commits first, the password version differs and no session is opened.
 */
const SESSION_OPEN: Statement = {
  name: 'session_open',
  text: `
    WITH holder AS MATERIALIZED (
      SELECT id, scopes FROM users WHERE id = $2 AND password_version = $3 FOR SHARE
    ), opened AS (
      INSERT INTO sessions
        (id, user_id, refresh_token_hash, current_token_hash, created_at, expires_at, last_used_at,
         address, user_agent)
      SELECT $1, id, $4, $5, now(), now() + make_interval(secs => $6), now(), $7::inet, $8::text
      FROM holder
      ON CONFLICT ON CONSTRAINT sessions_pkey DO NOTHING
      RETURNING id, user_id
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, actor_id, session_id, address, user_agent)
      SELECT 'login', user_id, user_id, id, $7::inet, $8::text
      FROM opened
    )
    SELECT scopes FROM holder`,
}

/**
 * Opens a session. Its id is also the operation id: an existing row with this id is this session.
 *
 * @returns the scopes of its user; undefined if the password was changed after it was checked
 */
export async function openSession(
  run: Run,
  session: NewSession,
): Promise<{ scopes: string[] | null } | undefined> {
  const { hashes, origin } = session
  const [holder] = await run<{ scopes: string[] | null }>(SESSION_OPEN, [
    session.id,
    session.userId,
    session.passwordVersion,
    hashes.session,
    hashes.own,
    session.lifetimeSeconds,
    origin.address,
    origin.userAgent,
  ])
  return holder
}

export interface SessionRow {
  id: string
  createdAt: Date
  lastUsedAt: Date
  expiresAt: Date
  userAgent: string | null
  address: string | null
}

/** Bounds the response for a client that logs in every minute. */
const MAX_LISTED = 100

const SESSIONS_ACTIVE: Statement = {
  name: 'sessions_active',
  text: `
    SELECT id, created_at AS "createdAt", last_used_at AS "lastUsedAt", expires_at AS "expiresAt",
           user_agent AS "userAgent", host(address) AS address
    FROM sessions
    WHERE user_id = $1
      AND revoked_at IS NULL
      AND expires_at > now()
    ORDER BY last_used_at DESC, id DESC
    LIMIT ${MAX_LISTED}`,
}

/** Active sessions of a user, most recently used first; at most 100. */
export async function activeSessions(run: Run, userId: string): Promise<SessionRow[]> {
  return run<SessionRow>(SESSIONS_ACTIVE, [userId])
}

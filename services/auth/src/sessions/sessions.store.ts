import type { Run } from '@malipo/kit/postgres/database'
import type { Origin } from './origin.js'
import type { TokenHashes } from './refresh-token.js'

/** The statements that open sessions and look at them, each from plain values to plain rows. */

export interface NewSession {
  id: string
  userId: string
  /** Which of the user's passwords was given. */
  passwordVersion: number
  hashes: TokenHashes
  lifetimeSeconds: number
  origin: Origin
}

/*
 * The user's row is locked against a new password and new scopes until the session is there, so whoever
 * changes them finds it and ends it; and when they were faster, it is not opened.
 */
const OPEN_SESSION = {
  name: 'open-session',
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
 * Opens a session. Its id is ours alone, so a row that has it already is this very session.
 *
 * @returns what its user may do; undefined when the password was changed meanwhile
 */
export async function openSession(
  run: Run,
  session: NewSession,
): Promise<{ scopes: string[] | null } | undefined> {
  const { hashes, origin } = session
  const [holder] = await run<{ scopes: string[] | null }>(OPEN_SESSION, [
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

export interface Holder {
  phone: string
  email: string
}

const HOLDER_OF_SESSION = {
  name: 'holder-of-session',
  text: `
    SELECT users.phone, users.email
    FROM sessions
    JOIN users ON users.id = sessions.user_id
    WHERE sessions.id = $1
      AND sessions.user_id = $2
      AND sessions.revoked_at IS NULL
      AND sessions.expires_at > now()`,
}

/** Who a living session belongs to; undefined when it has ended, or is not that user's. */
export async function holderOf(
  run: Run,
  session: { sid: string; sub: string },
): Promise<Holder | undefined> {
  return (await run<Holder>(HOLDER_OF_SESSION, [session.sid, session.sub]))[0]
}

const SESSION_FROM = {
  name: 'session-from-network',
  text: `
    SELECT 1
    FROM users
    JOIN sessions ON sessions.user_id = users.id
    WHERE users.phone = $1
      AND revoked_at IS NULL
      AND expires_at > now()
      AND address <<= $2::inet
    LIMIT 1`,
}

/** Whether the phone's owner has an open session that was last used from this network. */
export async function hasSessionFrom(run: Run, phone: string, network: string): Promise<boolean> {
  return (await run(SESSION_FROM, [phone, network])).length > 0
}

export interface SessionRow {
  id: string
  createdAt: Date
  lastUsedAt: Date
  expiresAt: Date
  userAgent: string | null
  address: string | null
}

/** Nobody reads more, and a program that logs in each minute has them. */
const MOST_LISTED = 100

const LIVING_SESSIONS = {
  name: 'living-sessions',
  text: `
    SELECT id, created_at AS "createdAt", last_used_at AS "lastUsedAt",
           expires_at AS "expiresAt", user_agent AS "userAgent", host(address) AS address
    FROM sessions
    WHERE user_id = $1
      AND revoked_at IS NULL
      AND expires_at > now()
    ORDER BY last_used_at DESC, id DESC
    LIMIT ${MOST_LISTED}`,
}

/** A user's living sessions, the last used first; 100 at most. */
export async function livingSessions(run: Run, userId: string): Promise<SessionRow[]> {
  return run<SessionRow>(LIVING_SESSIONS, [userId])
}

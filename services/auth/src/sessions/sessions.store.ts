import type { Run, Statement } from '@malipo/kit/postgres/database'
import { StaleWrite } from '@malipo/kit/postgres/retry'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { Origin } from '../client-context/client-context.js'
import type { RevokedSession } from '../revocations/outbox.store.js'
import { type Revoked, revokeStatement } from '../revocations/revoke.statement.js'
import type { User } from '../users/user.entity.js'
import type { TokenHashes } from './refresh-token.js'
import type { Session } from './session.entity.js'

interface NewSession {
  id: string
  userId: string
  /** Version of the password that was verified. */
  passwordVersion: number
  hashes: TokenHashes
  deviceTokenHash: Buffer
  lifetimeSeconds: number
  /** Maximum number of active sessions of the user, including this one. */
  limit: number
  /** A later execution opens no session; by the database's clock. */
  deadline: string
  origin: Origin
}

/** Retains every session. */
const MAX_INTEGER = 2_147_483_647

/*
 * The lock makes a concurrent change of password or scopes wait until the session is committed, so that the
 * change revokes it. If the change commits first, the password version differs and no session is opened.
 * Concurrent logins of one user also wait for each other, so that each counts the sessions of the others.
 *
 * A statement can be executed long after its caller has timed out. Its session would have no client, and would
 * evict a session that has one. So none is opened after the deadline, which an earlier read of the same request
 * has computed: no clock of the service is involved.
 */
const SESSION_OPEN: Statement = {
  name: 'session_open',
  text: `
    WITH holder AS MATERIALIZED (
      SELECT id, scopes, clock_timestamp() >= $11::timestamptz AS is_late
      FROM users
      WHERE id = $2 AND password_version = $3
      FOR NO KEY UPDATE
    ), opened AS (
      INSERT INTO sessions
        (id, user_id, password_version, refresh_token_hash, current_token_hash, device_token_hash,
         created_at, expires_at, last_used_at, address, user_agent)
      SELECT $1, id, $3, $4, $5, $9,
             now(), now() + make_interval(secs => $6), now(), $7::inet, $8::text
      FROM holder
      WHERE NOT is_late
      ON CONFLICT ON CONSTRAINT sessions_pkey DO NOTHING
      RETURNING id, user_id
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, actor_id, session_id, address, user_agent)
      SELECT 'login', user_id, user_id, id, $7::inet, $8::text
      FROM opened
    )
    SELECT is_late AS "isLate", scopes, evicted.session_id AS sid, ${isoTime('evicted.at')} AS at
    FROM holder
    LEFT JOIN LATERAL evict_sessions_of(
      holder.id, $1, CASE WHEN is_late THEN ${MAX_INTEGER} ELSE $10::integer - 1 END
    ) AS evicted ON true`,
}

/** One row per evicted session, or a single row without one. */
type OpenedRow = Pick<User, 'scopes'> & {
  readonly isLate: boolean
  readonly sid: string | null
  readonly at: string | null
}

interface Opened extends Pick<User, 'scopes'> {
  /** The least recently used sessions, which the limit revoked. */
  readonly evicted: readonly RevokedSession[]
}

/**
 * `id` is the operation id.
 *
 * @returns undefined if the password changed after it was verified
 * @throws StaleWrite after the deadline
 */
export async function openSession(
  run: Run,
  { id, userId, passwordVersion, hashes, lifetimeSeconds, ...other }: NewSession,
): Promise<Opened | undefined> {
  const { origin, deviceTokenHash, limit, deadline } = other
  const session = [id, userId, passwordVersion, hashes.session, hashes.own, lifetimeSeconds]
  const values = [...session, origin.address, origin.userAgent, deviceTokenHash, limit, deadline]
  const rows = await run<OpenedRow>(SESSION_OPEN, values)
  if (!rows[0]) return undefined
  if (rows[0].isLate) throw new StaleWrite()
  const evicted = rows.flatMap(({ sid, at }) => (sid && at ? [{ sid, at }] : []))
  return { scopes: rows[0].scopes, evicted }
}

type SessionRow = Pick<
  Session,
  'id' | 'createdAt' | 'lastUsedAt' | 'expiresAt' | 'userAgent' | 'address'
>

/** The limit bounds the size of the response, for example for a client that logs in every minute. */
const SESSIONS_ACTIVE: Statement = {
  name: 'sessions_active',
  text: `
    SELECT id,
           ${isoTime('created_at')} AS "createdAt",
           ${isoTime('last_used_at')} AS "lastUsedAt",
           ${isoTime('expires_at')} AS "expiresAt",
           user_agent AS "userAgent", host(address) AS address
    FROM sessions
    WHERE user_id = $1
      AND revoked_at IS NULL
      AND expires_at > now()
    ORDER BY last_used_at DESC, id DESC
    LIMIT 100`,
}

export async function activeSessions(run: Run, userId: string): Promise<SessionRow[]> {
  return run<SessionRow>(SESSIONS_ACTIVE, [userId])
}

export interface Revocation {
  sid: string
  /** The id of the session's user, who requests the revocation. */
  sub: string
  cause: 'logout' | 'revoked'
}

const SESSION_REVOKE = revokeStatement('session_revoke', { table: 'sessions', owner: 'user_id' })

/** @returns undefined if the user has no such session; `isNew` is false if it was already revoked */
export async function revokeSession(
  run: Run,
  { sid, sub, cause }: Revocation,
): Promise<Revoked | undefined> {
  return (await run<Revoked>(SESSION_REVOKE, [sid, sub, cause, sub]))[0]
}

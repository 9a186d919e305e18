import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { Origin } from '../client-context/client-context.js'
import type { RevokedSession } from '../revocations/outbox.store.js'
import type { TokenHashes } from './refresh-token.js'

interface Presentation {
  readonly presented: TokenHashes
  /** Becomes the successor if the presented token is the current one. The salt is the one that derived it. */
  readonly candidate: { readonly hash: Buffer; readonly salt: Buffer }
  /** Time since the request arrived, ms. */
  readonly ageMs: number
  readonly graceMs: number
  readonly lifetimeSeconds: number
  readonly origin: Origin
}

/**
 * What the presented token is: the current one, a replaced one in its grace period, or any other one of the
 * session. `limited` is the current one of a session that was refreshed too often.
 */
export type Use = 'rotated' | 'repeated' | 'reused' | 'limited'

interface Judgement {
  readonly use: Use
  readonly sid: string
  readonly sub: string
  readonly scopes: string[] | null
  /** The salt and the hash of the successor of a `repeated` token, hexadecimal. */
  readonly salt: string | null
  readonly successor: string | null
  /** How long a `limited` client has to wait. */
  readonly waitMs: number | null
}

/** Bounds the size of a session's row: within one grace period a session is refreshed at most this often. */
const ROTATIONS_PER_GRACE = 100

/*
 * FOR UPDATE serialises concurrent presentations and reads the latest version of the row. Only the current
 * token changes the row: it moves to `predecessors`, with the salt of its successor and the time of its first
 * use. A predecessor in its grace period changes nothing, so neither does a retry after a lost connection.
 *
 * The grace period is compared with the time at which the request arrived, so that waiting for a connection
 * or a lock does not count. Predecessors are removed a whole grace period later than they expire.
 *
 * A lost connection, or a server that was frozen, can execute the statement minutes late. If the session was
 * refreshed in the meantime, its token is no longer the current one: it does not replace the successor that the
 * client has received. It never revokes, since the grace period of its token may have ended by then although its
 * request was answered in time.
 *
 * FOR UPDATE also writes to the WAL. The commit therefore waits for the standby, and a successor that another
 * request stored is durable before it is returned.
 */
const REFRESH_TOKEN_ROTATE: Statement = {
  name: 'refresh_token_rotate',
  text: `
    WITH target AS MATERIALIZED (
      SELECT id, user_id, current_token_hash, predecessors,
             predecessors -> encode($2::bytea, 'hex') AS predecessor,
             statement_timestamp() - make_interval(secs => $5::float8 / 1000) AS presented_at,
             make_interval(secs => $6::float8 / 1000) AS grace
      FROM sessions
      WHERE refresh_token_hash = $1 AND revoked_at IS NULL AND expires_at > now()
      FOR UPDATE
    ), verdict AS MATERIALIZED (
      SELECT id, user_id, predecessor, retained.predecessors, retained.wait,
             CASE
               WHEN current_token_hash = $2 AND in_grace >= ${ROTATIONS_PER_GRACE} THEN 'limited'
               WHEN current_token_hash = $2 THEN 'rotated'
               WHEN (predecessor ->> 'usedAt')::timestamptz > presented_at - grace THEN 'repeated'
               ELSE 'reused'
             END AS use
      FROM target
      CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_object_agg(token, item), '{}') AS predecessors,
               count(*) FILTER (WHERE used_at > presented_at - grace) AS in_grace,
               min(used_at) FILTER (WHERE used_at > presented_at - grace) + grace - presented_at
                 AS wait
        FROM jsonb_each(target.predecessors) AS each (token, item)
        CROSS JOIN LATERAL (SELECT (item ->> 'usedAt')::timestamptz AS used_at) AS times
        WHERE used_at > presented_at - 2 * grace
      ) AS retained
    ), rotated AS (
      UPDATE sessions
      SET current_token_hash = $3,
          predecessors = verdict.predecessors || jsonb_build_object(
            encode($2::bytea, 'hex'),
            jsonb_build_object(
              'salt', encode($4::bytea, 'hex'),
              'successor', encode($3::bytea, 'hex'),
              'usedAt', clock_timestamp()
            )
          ),
          last_used_at = clock_timestamp(),
          expires_at = now() + make_interval(secs => $7),
          address = $8::inet,
          user_agent = $9::text
      FROM verdict
      WHERE sessions.id = verdict.id AND use = 'rotated' AND current_token_hash = $2
    )
    SELECT use, verdict.id AS sid, user_id AS sub, scopes,
           predecessor ->> 'salt' AS salt,
           predecessor ->> 'successor' AS successor,
           ceil(extract(epoch FROM wait) * 1000)::integer AS "waitMs"
    FROM verdict
    JOIN users ON users.id = user_id`,
}

/** Exchanges the current token of a session; undefined if no active session has the presented token. */
export async function rotate(
  run: Run,
  { presented, candidate, ageMs, graceMs, lifetimeSeconds, origin }: Presentation,
): Promise<Judgement | undefined> {
  const tokens = [presented.session, presented.own, candidate.hash, candidate.salt]
  const values = [...tokens, ageMs, graceMs, lifetimeSeconds, origin.address, origin.userAgent]
  return (await run<Judgement>(REFRESH_TOKEN_ROTATE, values))[0]
}

/* A `reused` token stays one: no token returns to its grace period. So this may be executed late and twice. */
const REUSED_SESSION_REVOKE: Statement = {
  name: 'reused_session_revoke',
  text: `
    WITH target AS MATERIALIZED (
      SELECT id, user_id, revoked_at FROM sessions WHERE id = $1 FOR UPDATE
    ), revoked AS (
      UPDATE sessions
      SET revoked_at = clock_timestamp(), revocation_cause = 'refresh_reuse'
      FROM target
      WHERE sessions.id = target.id AND target.revoked_at IS NULL
      RETURNING sessions.id, sessions.user_id, sessions.revoked_at
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, session_id, address, user_agent)
      SELECT 'refresh_reuse', user_id, id, $2::inet, $3::text
      FROM revoked
    )
    SELECT target.id AS sid,
           ${isoTime('coalesce(revoked.revoked_at, target.revoked_at)')} AS at,
           revoked.id IS NOT NULL AS "isNew"
    FROM target
    LEFT JOIN revoked ON revoked.id = target.id`,
}

/** `isNew` is false if the session was already revoked; undefined if it no longer exists. */
export async function revokeReused(
  run: Run,
  sid: string,
  { address, userAgent }: Origin,
): Promise<(RevokedSession & { isNew: boolean }) | undefined> {
  const values = [sid, address, userAgent]
  return (await run<RevokedSession & { isNew: boolean }>(REUSED_SESSION_REVOKE, values))[0]
}

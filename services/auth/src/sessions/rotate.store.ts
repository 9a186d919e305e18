import type { Run } from '@malipo/kit/postgres/database'
import type { Origin } from './origin.js'
import type { TokenHashes } from './refresh-token.js'

/** A wish to use up a refresh token. */
export interface Rotation {
  readonly presented: TokenHashes
  /** Of the successor's own part. It is ours alone, so it is also the operation id. */
  readonly successor: Buffer
  /** How long ago the request came, whatever has kept it since. */
  readonly ageMs: number
  readonly lifetimeSeconds: number
  readonly origin: Origin
}

/**
 * `rotated`: the token was the session's current one. `repeated`: it was the one before, not long ago, and
 * its successor was never used. `reused`: it was any other of this session's, which therefore is over.
 */
export type Use = 'rotated' | 'repeated' | 'reused'

export interface Rotated {
  readonly use: Use
  readonly sid: string
  readonly sub: string
  readonly scopes: string[] | null
  /** When a `reused` token ended the session. */
  readonly endedAt: Date | null
}

/** A client whose answer was lost has this long to ask again, from the first time on. */
const GRACE_SECONDS = 10

/*
 * The row is locked before it is judged, so of concurrent uses each sees what the one before it left. A
 * session remembers the token that is current and the one before. Using the current one makes it the one
 * before; using the one before again replaces the current one, which so was never used: at any time one
 * token of a session is good. The time of grace does not begin anew. Whatever else begins as a token
 * of this session does was current once, or was made up by someone who had one: somebody has stolen it.
 */
const ROTATE = {
  name: 'rotate-refresh-token',
  text: `
    WITH target AS MATERIALIZED (
      SELECT id, user_id, current_token_hash, previous_token_hash, rotated_at
      FROM sessions
      WHERE refresh_token_hash = $1 AND revoked_at IS NULL AND expires_at > now()
      FOR UPDATE
    ), verdict AS MATERIALIZED (
      SELECT id, user_id,
             CASE WHEN current_token_hash = $2 THEN 'rotated'
                  WHEN previous_token_hash = $2
                   AND clock_timestamp() - make_interval(secs => $4::float8 / 1000)
                       < rotated_at + interval '${GRACE_SECONDS} seconds' THEN 'repeated'
                  ELSE 'reused' END AS use
      FROM target
    ), rotated AS (
      UPDATE sessions
      SET previous_token_hash = $2,
          current_token_hash = $3,
          rotated_at = CASE use WHEN 'rotated' THEN clock_timestamp() ELSE rotated_at END,
          last_used_at = clock_timestamp(),
          expires_at = now() + make_interval(secs => $5),
          address = $6::inet,
          user_agent = $7::text
      FROM verdict
      WHERE sessions.id = verdict.id AND use <> 'reused'
    ), ended AS (
      UPDATE sessions
      SET revoked_at = clock_timestamp(), revocation_cause = 'refresh_reuse'
      FROM verdict
      WHERE sessions.id = verdict.id AND use = 'reused'
      RETURNING sessions.id, sessions.user_id, revoked_at
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, session_id, address, user_agent)
      SELECT 'refresh_reuse', user_id, id, $6::inet, $7::text
      FROM ended
    )
    SELECT use, verdict.id AS sid, verdict.user_id AS sub, users.scopes, ended.revoked_at AS "endedAt"
    FROM verdict
    JOIN users ON users.id = verdict.user_id
    LEFT JOIN ended ON ended.id = verdict.id`,
}

/** Uses a refresh token up, or ends its session; undefined when it is no living session's. */
export async function rotate(run: Run, rotation: Rotation): Promise<Rotated | undefined> {
  const { presented, successor, ageMs, lifetimeSeconds, origin } = rotation
  const [rotated] = await run<Rotated>(ROTATE, [
    presented.session,
    presented.own,
    successor,
    ageMs,
    lifetimeSeconds,
    origin.address,
    origin.userAgent,
  ])
  return rotated
}

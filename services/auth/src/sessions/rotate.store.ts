import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { Origin } from '../client-context/client-context.js'
import type { TokenHashes } from './refresh-token.js'

interface Rotation {
  readonly presented: TokenHashes
  /** Hash of the successor's second part; since that part is random, it also serves as the operation id. */
  readonly successor: Buffer
  /** Time since the request arrived, ms. */
  readonly ageMs: number
  readonly lifetimeSeconds: number
  readonly origin: Origin
}

/** Which token was used: the current one, the previous one in the grace period, or any other one. */
export type Use = 'rotated' | 'repeated' | 'reused'

interface Rotated {
  readonly use: Use
  readonly sid: string
  readonly sub: string
  readonly scopes: string[] | null
  /** Set if the token was `reused`, which revokes the session. */
  readonly revokedAt: Date | null
}

/** A client that lost the response may repeat its request until this long after the token's first use. */
const GRACE_SECONDS = 10

/*
 * FOR UPDATE serialises concurrent uses. A session stores its current and its previous token. Using the
 * current token makes it the previous one. Using the previous one again replaces the current token, which
 * was never used, and does not extend the grace period. So only one current token is valid at any time. Any
 * other token of the session was replaced earlier or is forged, so using it means that a token was stolen.
 */
const REFRESH_TOKEN_ROTATE: Statement = {
  name: 'refresh_token_rotate',
  text: `
    WITH target AS MATERIALIZED (
      SELECT id, user_id, current_token_hash, previous_token_hash, rotated_at
      FROM sessions
      WHERE refresh_token_hash = $1 AND revoked_at IS NULL AND expires_at > now()
      FOR UPDATE
    ), verdict AS MATERIALIZED (
      SELECT id, user_id,
             CASE
               WHEN current_token_hash = $2 THEN 'rotated'
               WHEN previous_token_hash = $2
                 AND clock_timestamp() - make_interval(secs => $4::float8 / 1000)
                   < rotated_at + interval '${GRACE_SECONDS} seconds' THEN 'repeated'
               ELSE 'reused'
             END AS use
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
    ), revoked AS (
      UPDATE sessions
      SET revoked_at = clock_timestamp(), revocation_cause = 'refresh_reuse'
      FROM verdict
      WHERE sessions.id = verdict.id AND use = 'reused'
      RETURNING sessions.id, sessions.user_id, revoked_at
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, session_id, address, user_agent)
      SELECT 'refresh_reuse', user_id, id, $6::inet, $7::text
      FROM revoked
    )
    SELECT use, verdict.id AS sid, verdict.user_id AS sub, users.scopes,
           revoked.revoked_at AS "revokedAt"
    FROM verdict
    JOIN users ON users.id = verdict.user_id
    LEFT JOIN revoked ON revoked.id = verdict.id`,
}

/** Exchanges a refresh token, or revokes the session of a reused one; undefined if no session is active. */
export async function rotate(
  run: Run,
  { presented, successor, ageMs, lifetimeSeconds, origin: { address, userAgent } }: Rotation,
): Promise<Rotated | undefined> {
  const { session, own } = presented
  const values = [session, own, successor, ageMs, lifetimeSeconds, address, userAgent]
  return (await run<Rotated>(REFRESH_TOKEN_ROTATE, values))[0]
}

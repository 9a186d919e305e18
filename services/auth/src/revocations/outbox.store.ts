import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { NIL_UUID } from '@malipo/kit/postgres/uuid-v7'

/** A revoked session or API key. */
export interface RevokedSession {
  /** The id of the session or of the key. */
  readonly sid: string
  /** ISO 8601 with milliseconds. */
  readonly at: string
}

const PENDING: Statement = {
  name: 'revocations_pending',
  text: `
    SELECT session_id AS sid, ${isoTime('revoked_at')} AS at
    FROM revocation_outbox
    ORDER BY revoked_at
    LIMIT $1`,
}

/** Pending revocations, oldest first. */
export async function pendingRevocations(run: Run, limit: number): Promise<RevokedSession[]> {
  return run<RevokedSession>(PENDING, [limit])
}

const PENDING_OF_USER: Statement = {
  name: 'revocations_pending_of_user',
  text: `
    SELECT session_id AS sid, ${isoTime('revocation_outbox.revoked_at')} AS at
    FROM revocation_outbox
    LEFT JOIN sessions ON sessions.id = session_id
    LEFT JOIN api_keys ON api_keys.id = session_id
    WHERE user_id = $1 OR merchant_id = $1
    ORDER BY revocation_outbox.revoked_at DESC
    LIMIT 1000`,
}

/**
 * Pending revocations of a user's sessions and of the keys of the user's merchant, at most 1000, newest first. The relay
 * publishes the rest.
 */
export async function pendingRevocationsOf(run: Run, userId: string): Promise<RevokedSession[]> {
  return run<RevokedSession>(PENDING_OF_USER, [userId])
}

/* A session is revoked once, so a late execution can't delete the row of another revocation. */
const DELETE_PUBLISHED: Statement = {
  name: 'revocations_delete_published',
  text: 'DELETE FROM revocation_outbox WHERE session_id = ANY ($1::uuid[])',
}

export async function deletePublished(run: Run, published: readonly RevokedSession[]) {
  await run(DELETE_PUBLISHED, [published.map(({ sid }) => sid)])
}

const DELETE_EXPIRED: Statement = {
  name: 'revocations_delete_expired',
  text: `
    DELETE FROM revocation_outbox
    WHERE revoked_at < now() - make_interval(secs => $1)
      AND (
        revoked_at < now() - interval '24 hours'
        OR NOT EXISTS (SELECT FROM api_keys WHERE api_keys.id = session_id)
      )`,
}

/**
 * Deletes pending revocations of sessions whose access tokens have all expired. Those of keys, which may have no
 * expiry, are retained for a day: no service uses what it has cached of a key for longer.
 */
export async function deleteExpired(run: Run, lifetimeSeconds: number) {
  await run(DELETE_EXPIRED, [lifetimeSeconds])
}

const REVOKED_SINCE: Statement = {
  name: 'revoked_since',
  text: `
    SELECT id AS sid, ${isoTime('revoked_at')} AS at
    FROM (
      (${revokedSinceIn('sessions')})
      UNION ALL
      (${revokedSinceIn('api_keys')})
    ) AS revoked
    ORDER BY revoked_at, id
    LIMIT $4`,
}

/** A page of one table, which its index finds. */
function revokedSinceIn(table: 'sessions' | 'api_keys'): string {
  return `
    SELECT id, revoked_at
    FROM ${table}
    WHERE revoked_at >= now() - make_interval(secs => $1)
      AND (revoked_at, id) > ($2::timestamptz, $3::uuid)
    ORDER BY revoked_at, id
    LIMIT $4`
}

const BEFORE_ALL: RevokedSession = {
  sid: NIL_UUID,
  at: '1970-01-01T00:00:00.000Z',
}

/** A page of the sessions and keys revoked within the last `lifetimeSeconds`, published or not, oldest first. */
export async function revokedSince(
  run: Run,
  lifetimeSeconds: number,
  limit: number,
  after = BEFORE_ALL,
): Promise<RevokedSession[]> {
  return run<RevokedSession>(REVOKED_SINCE, [lifetimeSeconds, after.at, after.sid, limit])
}

import type { Run, Statement } from '@malipo/kit/postgres/database'
import { countOrRecover } from '../audit/audit.store.js'
import type { Origin } from '../client-context/client-context.js'

interface ScopeChange {
  /** Id of the audit event, which is also the operation id. */
  id: string
  /** The mode's default scopes, which apply to a user without stored scopes. */
  defaults: readonly string[]
  origin: Origin
}

/*
 * The update waits for a concurrent login that holds a lock on the user's row and opens a session with the
 * old scopes. `revoke_sessions_of` then sees that session (see the migration).
 */
const SCOPES_SET: Statement = {
  name: 'scopes_set',
  text: `
    WITH changed AS (
      UPDATE users
      SET scopes = $3
      WHERE id = $2 AND NOT EXISTS (SELECT 1 FROM audit_events WHERE audit_events.id = $1)
      RETURNING id, coalesce(old.scopes, $4::text[]) AS before
    ), audited AS (
      INSERT INTO audit_events (id, kind, user_id, actor_id, address, user_agent, detail)
      SELECT $1, 'grant', id, $5::uuid, $6::inet, $7::text,
             jsonb_build_object('before', before, 'scopes', $3::text[])
      FROM changed
      ON CONFLICT ON CONSTRAINT audit_events_pkey DO NOTHING
    ), reduced AS MATERIALIZED (
      SELECT id FROM changed WHERE NOT before <@ $3::text[]
    ), revoked AS MATERIALIZED (
      SELECT revoked.session_id
      FROM reduced
      CROSS JOIN LATERAL revoke_sessions_of(reduced.id, NULL, 'scopes', $5::uuid) AS revoked
    )
    SELECT (SELECT count(*) FROM revoked)::integer AS revoked FROM changed`,
}

/** @returns the number of revoked sessions; undefined if the user does not exist */
export async function setScopes(
  run: Run,
  retried: boolean,
  change: ScopeChange & { userId: string; scopes: readonly string[]; actorId: string },
): Promise<number | undefined> {
  const { id, userId, scopes, defaults, actorId, origin } = change
  const values = [id, userId, scopes, defaults, actorId, origin.address, origin.userAgent]
  const [changed] = await run<{ revoked: number }>(SCOPES_SET, values)
  return countOrRecover(run, { id, retried }, changed)
}

const SCOPES_GRANT: Statement = {
  name: 'scopes_grant',
  text: `
    WITH changed AS (
      UPDATE users
      SET scopes = ARRAY(
        SELECT DISTINCT scope
        FROM unnest(coalesce(scopes, $3::text[]) || $4::text[]) AS scope
        ORDER BY scope
      )
      WHERE phone = $2
      RETURNING id, scopes, coalesce(old.scopes, $3::text[]) AS before
    ), audited AS (
      INSERT INTO audit_events (id, kind, user_id, user_agent, detail)
      SELECT $1, 'grant', id, $5::text, jsonb_build_object('before', before, 'scopes', scopes)
      FROM changed
      ON CONFLICT ON CONSTRAINT audit_events_pkey DO NOTHING
    )
    SELECT id, scopes FROM changed`,
}

/** Adds scopes to those of a user; returns undefined if no account has the phone. */
export async function grantScopes(
  run: Run,
  grant: ScopeChange & { phone: string; granted: readonly string[] },
): Promise<{ id: string; scopes: string[] } | undefined> {
  const { id, phone, defaults, granted, origin } = grant
  const values = [id, phone, defaults, granted, origin.userAgent]
  return (await run<{ id: string; scopes: string[] }>(SCOPES_GRANT, values))[0]
}

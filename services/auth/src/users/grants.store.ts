import type { Run } from '@malipo/kit/postgres/database'
import { isNoted } from '../audit/audit.store.js'
import type { Origin } from '../sessions/origin.js'

/** The statements that change what users may do, each with its event in the audit trail. */

interface Change {
  /** Of its event in the audit trail; also the operation id. */
  id: string
  /** What a user without scopes of their own has by the mode. */
  defaults: readonly string[]
  origin: Origin
}

export interface NewScopes extends Change {
  userId: string
  scopes: readonly string[]
  /** The operator whose wish it is, and their session. */
  actorId: string
}

/*
 * The user's row is locked first, so a login that is just opening a session with the old scopes is waited
 * for, and its session ended with the others; see the function's own comment in the migration.
 */
const SET_SCOPES = {
  name: 'set-scopes',
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
    ), ended AS MATERIALIZED (
      SELECT ended.session_id
      FROM reduced
      CROSS JOIN LATERAL revoke_sessions_of(reduced.id, NULL, 'scopes', $5::uuid) AS ended
    )
    SELECT (SELECT count(*) FROM ended)::integer AS ended FROM changed`,
}

/**
 * Gives a user these scopes and no others. When one was taken away, their sessions end.
 *
 * @returns how many sessions ended; undefined when there is no such user
 */
export async function setScopes(
  run: Run,
  retried: boolean,
  change: NewScopes,
): Promise<number | undefined> {
  const { id, userId, scopes, defaults, actorId, origin } = change
  const [changed] = await run<{ ended: number }>(SET_SCOPES, [
    id,
    userId,
    scopes,
    defaults,
    actorId,
    origin.address,
    origin.userAgent,
  ])
  if (changed) return changed.ended
  if (!retried) return undefined
  // An earlier try may have done it: its event has our id.
  return (await isNoted(run, id)) ? 0 : undefined
}

export interface Grant extends Change {
  phone: string
  granted: readonly string[]
}

const GRANT_SCOPES = {
  name: 'grant-scopes',
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

/** Adds scopes to those that a user has; undefined when no account has the phone. */
export async function grantScopes(
  run: Run,
  { id, phone, defaults, granted, origin }: Grant,
): Promise<{ id: string; scopes: string[] } | undefined> {
  const values = [id, phone, defaults, granted, origin.userAgent]
  return (await run<{ id: string; scopes: string[] }>(GRANT_SCOPES, values))[0]
}

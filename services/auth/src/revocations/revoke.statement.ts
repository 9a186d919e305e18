import type { Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { RevokedSession } from './outbox.store.js'

/** What a statement of `revokeStatement` returns: no row if the owner has no such session or key. */
export interface Revoked extends RevokedSession {
  /** False if it was already revoked. */
  readonly isNew: boolean
}

/**
 * The statement that revokes one session or API key of an owner. Its values are the id, the owner, the cause and the
 * user who revokes it. A revocation is final. Executed late, it revokes what was to be revoked, and nothing else.
 */
export function revokeStatement(
  name: string,
  { table, owner }: { table: 'sessions' | 'api_keys'; owner: string },
): Statement {
  return {
    name,
    text: `
    WITH target AS MATERIALIZED (
      SELECT id, revoked_at FROM ${table} WHERE id = $1 AND ${owner} = $2 FOR UPDATE
    ), revoked AS (
      UPDATE ${table}
      SET revoked_at = clock_timestamp(), revocation_cause = $3, revoked_by = $4
      FROM target
      WHERE ${table}.id = target.id AND target.revoked_at IS NULL
      RETURNING ${table}.id, ${table}.revoked_at
    )
    SELECT target.id AS sid,
           ${isoTime('coalesce(revoked.revoked_at, target.revoked_at)')} AS at,
           revoked.id IS NOT NULL AS "isNew"
    FROM target
    LEFT JOIN revoked ON revoked.id = target.id`,
  }
}

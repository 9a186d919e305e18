import type { Run, Statement } from '@malipo/kit/postgres/database'
import { StaleWrite } from '@malipo/kit/postgres/retry'
import { countOrRecover } from '../audit/audit.store.js'
import type { Origin } from '../client-context/client-context.js'

/*
 * A statement can be executed long after its caller has timed out, for example by a server that was frozen. By
 * then, another change may have been made, which it must not undo. So a change of scopes applies only to the
 * version of the row that its caller has read. `xmin`, the id of the transaction that wrote a row, is such a
 * version: it changes with every update.
 */
const VERSION = 'users.xmin::text'

const VERSION_BY_ID: Statement = {
  name: 'user_version_by_id',
  text: `SELECT ${VERSION} AS version FROM users WHERE id = $1`,
}

/** A closure of a merchant changes the user's row too, so the version is that of an open merchant. */
const IS_CLOSED = `
  EXISTS (SELECT FROM merchants WHERE merchants.id = users.id AND closed_at IS NOT NULL)`

const VERSION_BY_PHONE: Statement = {
  name: 'user_version_by_phone',
  text: `SELECT ${VERSION} AS version, ${IS_CLOSED} AS "isClosed" FROM users WHERE phone = $1`,
}

interface ScopeChange {
  /** Id of the audit event, which is also the operation id. */
  id: string
  /** The mode's default scopes, which apply to a user without stored scopes. */
  defaults: readonly string[]
  origin: Origin
}

/*
 * The lock waits for a concurrent login that holds a lock on the user's row and opens a session with the old
 * scopes. `revoke_sessions_of` then sees that session (see the migration). The scopes in $8 may be retained but
 * not added; the locked row decides, so that a concurrent removal is not undone.
 */
const SCOPES_SET: Statement = {
  name: 'scopes_set',
  text: `
    WITH target AS MATERIALIZED (
      SELECT id, coalesce(scopes, $4::text[]) AS before, ${VERSION} = $9 AS is_current,
             ${IS_CLOSED} AND cardinality($3::text[]) > 0 AS is_closed
      FROM users
      WHERE id = $2
      FOR NO KEY UPDATE
    ), changed AS (
      UPDATE users
      SET scopes = $3
      FROM target
      WHERE users.id = target.id
        AND is_current
        AND NOT is_closed
        AND $8::text[] <@ before
        AND NOT EXISTS (SELECT 1 FROM audit_events WHERE audit_events.id = $1)
      RETURNING users.id, before
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
    SELECT is_current AS "isCurrent",
           is_closed AS "isClosed",
           changed.id IS NOT NULL AS "isChanged",
           (SELECT count(*) FROM revoked)::integer AS revoked
    FROM target
    LEFT JOIN changed ON changed.id = target.id`,
}

interface NewScopes extends ScopeChange {
  userId: string
  scopes: readonly string[]
  /** The scopes among `scopes` that the user must already have. */
  retained: readonly string[]
  actorId: string
}

interface ScopesSet {
  readonly isCurrent: boolean
  readonly isClosed: boolean
  readonly isChanged: boolean
  readonly revoked: number
}

/**
 * @returns the number of revoked sessions; undefined if the user does not exist; `closed` if the merchant is
 * @throws StaleWrite if another change was made in the meantime
 */
export async function setScopes(
  run: Run,
  retried: boolean,
  { id, userId, scopes, retained, defaults, actorId, origin: { address, userAgent } }: NewScopes,
): Promise<number | 'not_retained' | 'closed' | undefined> {
  const [user] = await run<{ version: string }>(VERSION_BY_ID, [userId])
  if (!user) return undefined
  const change = [id, userId, scopes, defaults, actorId, address, userAgent, retained]
  const [found] = await run<ScopesSet>(SCOPES_SET, [...change, user.version])
  if (!found?.isCurrent) throw new StaleWrite()
  if (found.isClosed) return 'closed'
  const changed = found.isChanged ? found : undefined
  return (await countOrRecover(run, { id, retried }, changed)) ?? 'not_retained'
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
      WHERE phone = $2 AND ${VERSION} = $6
      RETURNING id, scopes, coalesce(old.scopes, $3::text[]) AS before
    ), audited AS (
      INSERT INTO audit_events (id, kind, user_id, user_agent, detail)
      SELECT $1, 'grant', id, $5::text, jsonb_build_object('before', before, 'scopes', scopes)
      FROM changed
      ON CONFLICT ON CONSTRAINT audit_events_pkey DO NOTHING
    )
    SELECT id, scopes FROM changed`,
}

/**
 * Adds scopes to those of a user; returns undefined if no account has the phone, `closed` if its merchant is.
 *
 * @throws StaleWrite if another change was made in the meantime
 */
export async function grantScopes(
  run: Run,
  grant: ScopeChange & { phone: string; granted: readonly string[] },
): Promise<{ id: string; scopes: string[] } | 'closed' | undefined> {
  const { id, phone, defaults, granted, origin } = grant
  const [user] = await run<{ version: string; isClosed: boolean }>(VERSION_BY_PHONE, [phone])
  if (!user) return undefined
  if (user.isClosed) return 'closed'
  const values = [id, phone, defaults, granted, origin.userAgent, user.version]
  const [changed] = await run<{ id: string; scopes: string[] }>(SCOPES_GRANT, values)
  if (!changed) throw new StaleWrite()
  return changed
}

import type { Run, Statement } from '@malipo/kit/postgres/database'
import { StaleWrite } from '@malipo/kit/postgres/retry'
import type { Origin } from '../client-context/client-context.js'
import { type KeyRow, keyColumns } from './key-row.js'

/** Usable keys of a merchant that no rotation has replaced. A rotation leaves their number as it is. */
export const MAX_KEYS = 20

/** A new secret, and the session of the user who asks for it. */
export interface NewSecret {
  /** Derived from the hash, and the operation id. */
  readonly id: string
  readonly hash: Buffer
  readonly hint: string
  readonly sub: string
  readonly sid: string
  /** ISO 8601; null: the key does not expire. */
  readonly expiresAt: string | null
  /** A later execution creates no key; by the database's clock. */
  readonly deadline: string
  readonly origin: Origin
}

export interface NewKey extends NewSecret {
  readonly name: string
  readonly scopes: readonly string[]
  /** The mode's default scopes, which apply to a user without stored scopes. */
  readonly defaults: readonly string[]
}

/** Why no key was created. `no_session`: the session was revoked meanwhile. */
export type Refusal = 'no_session' | 'closed' | 'scopes' | 'full' | 'no_key'

/*
 * The locks make a concurrent change of scopes, a closure, a logout or another new key wait, and this statement for
 * them. It then sees the locked rows as they were committed. `usable_keys_of` takes a new snapshot for the same reason.
 * A closure locks in the same order.
 *
 * A statement that is executed long after its caller has timed out would create a key that no client has, and a rotation
 * would revoke one that a client has. So neither has an effect after the deadline.
 */
const holder = (more: string) => `
    WITH holder AS MATERIALIZED (
      SELECT merchants.id, closed_at IS NOT NULL AS is_closed, ${more}
             clock_timestamp() >= $6::timestamptz AS is_late
      FROM users
      JOIN merchants ON merchants.id = users.id
      JOIN sessions ON sessions.user_id = users.id
      WHERE users.id = $1
        AND sessions.id = $2
        AND sessions.revoked_at IS NULL
        AND sessions.expires_at > now()
      FOR NO KEY UPDATE OF merchants, users, sessions
    )`

const KEY_CREATE: Statement = {
  name: 'key_create',
  text: `${holder('$10::text[] <@ coalesce(scopes, $11::text[]) AS has_scopes,')}, counted AS MATERIALIZED (
      SELECT holder.*, usable_keys_of(id) >= ${MAX_KEYS} AS is_full FROM holder
    ), created AS (
      INSERT INTO api_keys
        (id, merchant_id, name, hash, hint, scopes, created_by, created_at, expires_at, lifetime_seconds)
      SELECT $3, id, $9, $4, $5, $10, $1, now(), $7::timestamptz,
             ceil(extract(epoch FROM $7::timestamptz - now()))
      FROM counted
      WHERE NOT is_late AND NOT is_closed AND has_scopes AND NOT is_full
      ON CONFLICT ON CONSTRAINT api_keys_pkey DO NOTHING
      RETURNING *
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, actor_id, session_id, address, user_agent, detail)
      SELECT 'key_creation', merchant_id, $1, $2, ($8::text[])[1]::inet, ($8::text[])[2],
             jsonb_build_object('key', id, 'name', name, 'scopes', scopes)
      FROM created
    )
    SELECT is_late AS "isLate", is_closed AS "isClosed", has_scopes AS "hasScopes",
           is_full AS "isFull", ${keyColumns('created')}
    FROM counted
    LEFT JOIN created ON true`,
}

/** Returned without a created key, whose columns are then null. */
type Judged<Created> = { readonly isLate: boolean; readonly isClosed: boolean } & (
  Created | { readonly id: null }
)

type CreatedRow = Judged<KeyRow> & { readonly hasScopes: boolean; readonly isFull: boolean }

/** @throws StaleWrite after the deadline */
export async function createKey(run: Run, key: NewKey): Promise<KeyRow | Refusal> {
  const values = [...secretValues(key), key.name, key.scopes, key.defaults]
  const [row] = await run<CreatedRow>(KEY_CREATE, values)
  const { isLate, isClosed, hasScopes, isFull, ...created } = row ?? {}
  if (isId(created)) return created
  const own = await findKey(run, key.id)
  if (own) return own
  if (!row) return 'no_session'
  if (isLate) throw new StaleWrite()
  if (isClosed) return 'closed'
  if (!hasScopes) return 'scopes'
  if (isFull) return 'full'
  throw new StaleWrite()
}

const KEY_ROTATE: Statement = {
  name: 'key_rotate',
  text: `${holder('')}, allowed AS MATERIALIZED (
      SELECT id FROM holder WHERE NOT is_late AND NOT is_closed
    ), superseded AS MATERIALIZED (
      SELECT allowed.id AS merchant_id, key.*
      FROM allowed
      CROSS JOIN LATERAL supersede_key(allowed.id, $9, $3, $10, $1) AS key
    ), created AS (
      INSERT INTO api_keys
        (id, merchant_id, name, hash, hint, scopes, replaces, created_by, created_at, expires_at,
         lifetime_seconds)
      SELECT $3, merchant_id, key_name, $4, $5, key_scopes, replaced_id, $1, now(), $7::timestamptz,
             ceil(extract(epoch FROM $7::timestamptz - now()))
      FROM superseded
      RETURNING *
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, actor_id, session_id, address, user_agent, detail)
      SELECT 'key_rotation', merchant_id, $1, $2, ($8::text[])[1]::inet, ($8::text[])[2],
             jsonb_build_object('key', id, 'replaces', replaces, 'overlapSeconds', $10::integer)
      FROM created
    )
    SELECT is_late AS "isLate", is_closed AS "isClosed", ${keyColumns('created')}
    FROM holder
    LEFT JOIN created ON true`,
}

export interface Rotation extends NewSecret {
  /** The id of the key to rotate. */
  readonly target: string
  readonly overlapSeconds: number
}

/** @throws StaleWrite after the deadline */
export async function rotateKey(run: Run, rotation: Rotation): Promise<KeyRow | Refusal> {
  const values = [...secretValues(rotation), rotation.target, rotation.overlapSeconds]
  const [row] = await run<Judged<KeyRow>>(KEY_ROTATE, values)
  const { isLate, isClosed, ...created } = row ?? {}
  if (isId(created)) return created
  const own = await findKey(run, rotation.id)
  if (own) return own
  if (!row) return 'no_session'
  if (isLate) throw new StaleWrite()
  return isClosed ? 'closed' : 'no_key'
}

function secretValues(secret: NewSecret) {
  const { sub, sid, id, hash, hint, deadline, expiresAt, origin } = secret
  return [sub, sid, id, hash, hint, deadline, expiresAt, [origin.address, origin.userAgent]]
}

function isId(row: object): row is KeyRow {
  return 'id' in row && row.id !== null
}

const KEY_BY_ID: Statement = {
  name: 'key_by_id',
  text: `SELECT ${keyColumns('api_keys')} FROM api_keys WHERE id = $1`,
}

/** The key of an earlier attempt of this request, which has committed. */
async function findKey(run: Run, id: string): Promise<KeyRow | undefined> {
  return (await run<KeyRow>(KEY_BY_ID, [id]))[0]
}

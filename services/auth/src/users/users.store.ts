import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { Origin } from '../client-context/client-context.js'
import type { User } from './user.entity.js'

export type UserRow = Pick<User, 'id' | 'phone' | 'email' | 'createdAt'>

const USER_COLUMNS = `id, phone, email, ${isoTime('created_at')} AS "createdAt"`

/* Executed late, it inserts the account that was asked for, unless another one has its phone or email by then. */
const USER_INSERT: Statement = {
  name: 'user_insert',
  text: `
    WITH created AS (
      INSERT INTO users (id, phone, email, password_hash, scopes)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT DO NOTHING
      RETURNING id, phone, email, scopes, created_at
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, actor_id, address, user_agent, detail)
      SELECT 'registration', id, CASE WHEN scopes IS NULL THEN id END, $6::inet, $7::text,
             jsonb_strip_nulls(jsonb_build_object('scopes', scopes))
      FROM created
    ), granted AS (
      INSERT INTO audit_events (kind, user_id, address, user_agent, detail)
      SELECT 'grant', id, $6::inet, $7::text,
             jsonb_build_object('before', '[]'::jsonb, 'scopes', scopes)
      FROM created
      WHERE scopes IS NOT NULL
    )
    SELECT ${USER_COLUMNS} FROM created`,
}

const USERS_IN_CONFLICT: Statement = {
  name: 'users_in_conflict',
  text: `
    SELECT ${USER_COLUMNS}
    FROM users
    WHERE id = $1 OR phone = $2 OR email = $3`,
}

type NewUser = Pick<User, 'id' | 'phone' | 'email' | 'passwordHash' | 'scopes'>

/**
 * Inserts a user; returns the row, or the name of the field whose value another account already has. The id
 * is also the operation id: an earlier attempt may have inserted the row. ON CONFLICT avoids an error whose
 * DETAIL would write the phone number or email address to PostgreSQL's log.
 */
export async function insertUser(
  run: Run,
  { id, phone, email, passwordHash, scopes, origin }: NewUser & { origin: Origin },
): Promise<UserRow | 'phone' | 'email'> {
  const values = [id, phone, email, passwordHash, scopes, origin.address, origin.userAgent]
  const [created] = await run<UserRow>(USER_INSERT, values)
  if (created) return created
  const found = await run<UserRow>(USERS_IN_CONFLICT, [id, phone, email])
  const own = found.find((row) => row.id === id)
  if (own) return own
  if (found.length === 0) throw new Error('the conflicting user no longer exists')
  return found.some((row) => row.phone === phone) ? 'phone' : 'email'
}

const USER_BY_ID: Statement = {
  name: 'user_by_id',
  text: `SELECT ${USER_COLUMNS} FROM users WHERE id = $1`,
}

/** An account that exists, because accounts are never deleted. */
export async function userById(run: Run, id: string): Promise<UserRow> {
  const [user] = await run<UserRow>(USER_BY_ID, [id])
  if (!user) throw new Error(`user ${id} does not exist`)
  return user
}

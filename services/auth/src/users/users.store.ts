import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { Origin } from '../client-context/client-context.js'

export interface NewUser {
  id: string
  phone: string
  email: string
  passwordHash: string
  /** null: the mode's defaults. */
  scopes: readonly string[] | null
  origin: Origin
}

export interface UserRow {
  id: string
  phone: string
  email: string
  createdAt: Date
}

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
    )
    SELECT id, phone, email, created_at AS "createdAt" FROM created`,
}

const USERS_IN_CONFLICT: Statement = {
  name: 'users_in_conflict',
  text: `
    SELECT id, phone, email, created_at AS "createdAt"
    FROM users
    WHERE id = $1 OR phone = $2 OR email = $3`,
}

export type UniqueField = 'phone' | 'email'

/**
 * Inserts a user. The id is also the operation id: if the row exists, an earlier attempt wrote it and its
 * response was lost. ON CONFLICT avoids an error whose DETAIL would write the phone number or email address
 * to PostgreSQL's log.
 *
 * @returns the row, or the field that another account already has
 */
export async function insertUser(run: Run, user: NewUser): Promise<UserRow | UniqueField> {
  const { id, phone, email } = user
  const { address, userAgent } = user.origin
  const values = [id, phone, email, user.passwordHash, user.scopes, address, userAgent]
  const [created] = await run<UserRow>(USER_INSERT, values)
  if (created) return created
  const found = await run<UserRow>(USERS_IN_CONFLICT, [id, phone, email])
  const own = found.find((row) => row.id === id)
  if (own) return own
  if (found.length === 0) throw new Error('the conflicting user no longer exists')
  return found.some((row) => row.phone === phone) ? 'phone' : 'email'
}

import type { Run } from '@malipo/kit/postgres/database'
import type { Origin } from '../sessions/origin.js'

/** The statements on users, each a function from plain values to a plain row. */

export interface NewUser {
  id: string
  phone: string
  email: string
  passwordHash: string
  /** null: what the mode gives to everyone. */
  scopes: readonly string[] | null
  origin: Origin
}

export interface UserRow {
  id: string
  phone: string
  email: string
  createdAt: Date
}

const INSERT_USER = {
  name: 'insert-user',
  text: `
    WITH made AS (
      INSERT INTO users (id, phone, email, password_hash, scopes)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT DO NOTHING
      RETURNING id, phone, email, scopes, created_at
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, actor_id, address, user_agent, detail)
      SELECT 'registration', id, CASE WHEN scopes IS NULL THEN id END, $6::inet, $7::text,
             jsonb_strip_nulls(jsonb_build_object('scopes', scopes))
      FROM made
    )
    SELECT id, phone, email, created_at AS "createdAt" FROM made`,
}

const USERS_IN_THE_WAY = {
  name: 'users-in-the-way',
  text: `
    SELECT id, phone, email, created_at AS "createdAt"
    FROM users
    WHERE id = $1 OR phone = $2 OR email = $3`,
}

/** What an account has that no other may. */
export type Taken = 'phone' | 'email'

/**
 * Keeps a new user and gives the row back, or says what another account has already. An id is ours alone,
 * so a row that has it is what an earlier try of this very call wrote before its answer was lost.
 *
 * A conflict is not left to be an error: PostgreSQL's log would tell the phone or email in its DETAIL.
 */
export async function insertUser(run: Run, user: NewUser): Promise<UserRow | Taken> {
  const { id, phone, email } = user
  const { address, userAgent } = user.origin
  const values = [id, phone, email, user.passwordHash, user.scopes, address, userAgent]
  const [made] = await run<UserRow>(INSERT_USER, values)
  if (made) return made
  const found = await run<UserRow>(USERS_IN_THE_WAY, [id, phone, email])
  const own = found.find((row) => row.id === id)
  if (own) return own
  if (found.length === 0) throw new Error('a user that was just there is gone')
  return found.some((row) => row.phone === phone) ? 'phone' : 'email'
}

export interface Credentials {
  id: string
  passwordHash: string
  /** One more with each new password. */
  passwordVersion: number
}

const CREDENTIALS = {
  name: 'credentials',
  text: `
    SELECT id, password_hash AS "passwordHash",
           password_version AS "passwordVersion"
    FROM users
    WHERE phone = $1`,
}

/** What a login needs to know of the account with this phone. */
export async function credentialsOf(run: Run, phone: string): Promise<Credentials | undefined> {
  return (await run<Credentials>(CREDENTIALS, [phone]))[0]
}

export interface HashChange {
  id: string
  from: string
  to: string
}

const REPLACE_HASH = {
  name: 'replace-hash',
  text: `
    UPDATE users
    SET password_hash = $3
    WHERE id = $1 AND password_hash = $2`,
}

/** Puts another hash of the same password in place, unless the password was changed meanwhile. */
export async function replaceHash(run: Run, { id, from, to }: HashChange): Promise<void> {
  await run(REPLACE_HASH, [id, from, to])
}

import type { Run } from '@malipo/kit/database'
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
      ON CONFLICT ON CONSTRAINT users_pkey DO NOTHING
      RETURNING id, phone, email, scopes, created_at
    ), audited AS (
      INSERT INTO audit_events (kind, user_id, actor_id, address, user_agent, detail)
      SELECT 'registration', id, CASE WHEN scopes IS NULL THEN id END, $6::inet, $7::text,
             jsonb_strip_nulls(jsonb_build_object('scopes', scopes))
      FROM made
    )
    SELECT id, phone, email, created_at AS "createdAt" FROM made`,
}

const USER_BY_ID = {
  name: 'user-by-id',
  text: `
    SELECT id, phone, email, created_at AS "createdAt"
    FROM users
    WHERE id = $1`,
}

/**
 * Keeps a new user and gives the row back. An id is ours alone, so a row that already has it is what an
 * earlier try of this very call wrote before its answer was lost. PostgreSQL looks at the primary key
 * before the other constraints, so that such a row is never taken for someone else's phone.
 *
 * @throws an error with the violated constraint's name when the phone or the email is taken
 */
export async function insertUser(run: Run, user: NewUser): Promise<UserRow> {
  const [made] = await run<UserRow>(INSERT_USER, [
    user.id,
    user.phone,
    user.email,
    user.passwordHash,
    user.scopes,
    user.origin.address,
    user.origin.userAgent,
  ])
  const row = made ?? (await run<UserRow>(USER_BY_ID, [user.id]))[0]
  if (!row) throw new Error('a user that was just there is gone')
  return row
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

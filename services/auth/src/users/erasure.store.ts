import { hash } from 'node:crypto'
import { changedRows } from '@malipo/kit/postgres/erasing'
import type { EntityManager } from 'typeorm'
import { costOf, dummyHash } from '../passwords/work.js'
import { accountSubjects } from '../rate-limit/login-subjects.js'
import { candidatesFor, type Contact } from './erasure.js'

/** Statements that erase a user. Each needs the role that owns the tables, with `malipo.erasure` set. */

export interface Account extends Contact {
  readonly id: string
  readonly isClosed: boolean
}

const COLUMNS = `
  id, phone, email,
  EXISTS (SELECT FROM merchants WHERE merchants.id = users.id AND closed_at IS NOT NULL) AS "isClosed"`

export async function findAccounts(
  manager: EntityManager,
  by: { readonly id: string } | { readonly phones: readonly string[] },
): Promise<Account[]> {
  return 'id' in by
    ? manager.query<Account[]>(`SELECT ${COLUMNS} FROM users WHERE id = $1`, [by.id])
    : manager.query<Account[]>(`SELECT ${COLUMNS} FROM users WHERE phone = ANY ($1) ORDER BY id`, [
        by.phones,
      ])
}

const UPDATE_USER = `
UPDATE users SET phone = $2, email = $3, password_hash = $4
WHERE id = $1 AND (phone, email) <> ($2, $3)`

const IS_TAKEN = `SELECT FROM users WHERE id <> $1 AND (phone = $2 OR email = $3)`

/** Replaces the contact and the password hash, and records that. A closed merchant's user can't log in anyway. */
export async function eraseUser(manager: EntityManager, key: Buffer, id: string) {
  const [stored] = await manager.query<(Contact & { readonly passwordHash: string })[]>(
    `SELECT phone, email, password_hash AS "passwordHash" FROM users WHERE id = $1 FOR NO KEY UPDATE`,
    [id],
  )
  if (!stored) throw new Error(`account ${id} does not exist`)
  const erased = await firstFree(manager, id, candidatesFor(key, stored))
  const password = dummyHash(costOf(stored.passwordHash))
  const users = await changedRows(manager, UPDATE_USER, [id, erased.phone, erased.email, password])
  const subjects = accountSubjects(stored.phone).map((subject) => hash('sha256', subject, 'buffer'))
  const keys = await changedRows(manager, API_KEYS, [id])
  const attempts = await changedRows(manager, LOGIN_ATTEMPTS, [subjects])
  if (users > 0) await manager.query(RECORD, [id, { phone: erased.phone }])
  return { users, api_keys: keys, login_attempts: attempts }
}

async function firstFree(manager: EntityManager, id: string, candidates: readonly Contact[]) {
  for (const candidate of candidates) {
    const taken = await manager.query<unknown[]>(IS_TAKEN, [id, candidate.phone, candidate.email])
    if (taken.length === 0) return candidate
  }
  throw new Error(`all ${candidates.length} pseudonyms of account ${id} are taken`)
}

/** Names are free text of the merchant. The keys of a closed merchant are revoked. */
const API_KEYS = `UPDATE api_keys SET name = 'erased' WHERE merchant_id = $1 AND name <> 'erased'`

const LOGIN_ATTEMPTS = `DELETE FROM login_attempts WHERE subject = ANY ($1::bytea[])`

/** Without address and user agent: they are those of the operator. */
const RECORD = `INSERT INTO audit_events (kind, user_id, detail) VALUES ('erasure', $1, $2)`

const ORIGIN = {
  isPresent: '(address IS NOT NULL OR user_agent IS NOT NULL)',
  erase: 'address = NULL, user_agent = NULL',
}

/** Rows with data of a person, which are changed in batches in the order of their ids. A trigger allows no more. */
export const PARTS = [
  { table: 'sessions', of: 'user_id = $1', ...ORIGIN },
  // Of an event by an operator, the origin is the operator's.
  { table: 'audit_events', of: 'user_id = $1 AND coalesce(actor_id, $1) = $1', ...ORIGIN },
  { table: 'audit_events', of: 'actor_id = $1 AND user_id IS DISTINCT FROM $1', ...ORIGIN },
  // The name of an API key.
  {
    table: 'audit_events',
    of: 'user_id = $1',
    isPresent: `detail ->> 'name' <> 'erased'`,
    erase: `detail = jsonb_set(detail, '{name}', '"erased"')`,
  },
] as const
export type Part = (typeof PARTS)[number]

/** Erases a person's data in the next rows. @returns the last id, and the number of rows */
export async function erasePart(
  manager: EntityManager,
  { table, of, isPresent, erase }: Part,
  userId: string,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<{ readonly last: string | undefined; readonly rows: number }> {
  const found = await manager.query<{ id: string }[]>(
    `SELECT id FROM ${table}
     WHERE id > $2 AND ${of} AND ${isPresent} ORDER BY id LIMIT $3 FOR NO KEY UPDATE`,
    [userId, after, limit],
  )
  const ids = found.map(({ id }) => id)
  const statement = `UPDATE ${table} SET ${erase} WHERE id = ANY ($1::uuid[])`
  return { last: ids.at(-1), rows: await changedRows(manager, statement, [ids]) }
}

import { UsageError } from '@malipo/kit/command'
import { erasing } from '@malipo/kit/postgres/erasing'
import { NIL_UUID } from '@malipo/kit/postgres/uuid-v7'
import type { DataSource } from 'typeorm'
import { type ErasedPerson, phonesOf } from './erasure.js'
import { erasePart, eraseUser, findAccounts, type Part, PARTS } from './erasure.store.js'

export interface Erasure {
  readonly person: ErasedPerson
  /** The first makes pseudonyms; accounts are also found by those of the others. */
  readonly keys: readonly [Buffer, ...Buffer[]]
  /** Without it, each transaction is rolled back. */
  readonly isApplied: boolean
}

export interface Erased {
  /** The ids of the accounts. */
  readonly accounts: readonly string[]
  /** The number of changed rows by table. */
  readonly changes: Readonly<Record<string, number>>
}

const BATCH_SIZE = 200

/**
 * Erases a user: first the account, then their sessions and audit events in transactions of at most 200 rows. An
 * interrupted run can be repeated, and a repeated one changes nothing.
 *
 * @throws UsageError if an account is not closed: its user could still log in
 */
export async function erase(source: DataSource, erasure: Erasure): Promise<Erased> {
  const { keys, person, isApplied } = erasure
  const by = 'id' in person ? person : { phones: phonesOf(keys, person.phone) }
  const accounts = await findAccounts(source.manager, by)
  for (const { id, isClosed } of accounts) {
    if (!isClosed) throw new UsageError(`account ${id} is open: close its merchant first`)
  }
  const ids = accounts.map(({ id }) => id)
  const changes: Record<string, number> = {}
  const add = (table: string, rows: number) => (changes[table] = (changes[table] ?? 0) + rows)
  for (const id of ids) {
    const user = await erasing(source, isApplied, (manager) => eraseUser(manager, keys[0], id))
    for (const [table, rows] of Object.entries(user)) add(table, rows)
    for (const part of PARTS) {
      add(part.table, await eraseAll(source, isApplied, part, id))
    }
  }
  return { accounts: ids, changes }
}

async function eraseAll(
  source: DataSource,
  isApplied: boolean,
  part: Part,
  userId: string,
): Promise<number> {
  let total = 0
  for (let after = NIL_UUID; ;) {
    const page = { after, limit: BATCH_SIZE }
    const { last, rows } = await erasing(source, isApplied, (manager) =>
      erasePart(manager, part, userId, page),
    )
    total += rows
    if (last === undefined) return total
    after = last
  }
}

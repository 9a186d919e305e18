import { erasing } from '@malipo/kit/postgres/erasing'
import { newUuid, NIL_UUID } from '@malipo/kit/postgres/uuid-v7'
import type { DataSource, EntityManager } from 'typeorm'
import {
  type Changes,
  erasedContact,
  identifiersOf,
  keyIdOf,
  type Person,
  pseudonymsOf,
  searched,
  sumOf,
  totalOf,
} from './erasure.js'
import { eraseEvidence, eraseUnrelated } from './evidence.store.js'
import {
  countOpen,
  erasePayers,
  erasePayments,
  findPayments,
  lockClosed,
} from './payments.store.js'

export interface Erasure {
  readonly person: Person
  /** The first makes pseudonyms; payments are also found by those of the others. */
  readonly keys: readonly [Buffer, ...Buffer[]]
  /** Without it, each transaction is rolled back. */
  readonly isApplied: boolean
}

export interface Erased {
  readonly changes: Changes
  /** Payments that were left, because their provider is still asked. */
  readonly open: number
}

const BATCH_SIZE = 200
/** Each message may have 100 kB. */
const MESSAGES_PER_BATCH = 50

/**
 * Replaces the personal data of a payer, in transactions of at most 200 payments. Each contains what belongs to its
 * payments, and its record. So an interrupted run can be repeated, and a repeated one changes nothing.
 */
export async function erase(source: DataSource, erasure: Erasure): Promise<Erased> {
  const { keys, person } = erasure
  const found = searched(keys, person)
  const open = await read(source, (manager) => countOpen(manager, found))
  if (open > 0) return { changes: {}, open }
  const result: Parts = { changes: {}, open: 0, messages: [] }
  for (let after = NIL_UUID; ;) {
    const ids = await read(source, (manager) => findPayments(manager, found, after, BATCH_SIZE))
    const last = ids.at(-1)
    if (last === undefined) break
    add(result, await write(source, erasure, (manager) => eraseBatch(manager, erasure, ids)))
    after = last
  }
  await eraseRest(source, erasure, result)
  return result
}

/** The sum of the transactions so far. */
interface Parts {
  changes: Changes
  open: number
  /** The ids of erased messages. */
  messages: readonly string[]
}

function add(parts: Parts, { changes, open, messages }: Partial<Parts>): void {
  parts.changes = sumOf(parts.changes, changes ?? {})
  parts.open += open ?? 0
  parts.messages = [...parts.messages, ...(messages ?? [])]
}

async function eraseBatch(
  manager: EntityManager,
  { keys, person }: Erasure,
  ids: readonly string[],
): Promise<Parts> {
  const [key] = keys
  const contacts = await lockClosed(manager, ids)
  const closed = contacts.map(({ id }) => id)
  const identifiers = identifiersOf(person, contacts)
  const evidence = await eraseEvidence(manager, key, closed, identifiers)
  const payments = await erasePayments(manager, contacts, (each) => erasedContact(key, each))
  return {
    changes: sumOf(evidence.changes, payments),
    open: ids.length - closed.length,
    messages: evidence.messages,
  }
}

/** Erases what belongs to no payment. */
async function eraseRest(source: DataSource, erasure: Erasure, parts: Parts): Promise<void> {
  const [key] = erasure.keys
  const identifiers = identifiersOf(erasure.person)
  const payers = await write(source, erasure, async (manager) => ({
    changes: { payers: await erasePayers(manager, identifiers.phones) },
  }))
  add(parts, payers)
  const without = new Set(parts.messages)
  for (let after = NIL_UUID; ;) {
    const page = { after, limit: MESSAGES_PER_BATCH, without }
    const batch = await write(source, erasure, (manager) =>
      eraseUnrelated(manager, key, identifiers, page),
    )
    add(parts, { changes: batch.changes })
    if (batch.last === undefined) return
    after = batch.last
  }
}

/** A search by email reads all payments, which takes longer than a request may take. */
function read<T>(source: DataSource, work: (manager: EntityManager) => Promise<T>): Promise<T> {
  return source.transaction(async (manager) => {
    await manager.query('SET TRANSACTION READ ONLY')
    await manager.query('SET LOCAL statement_timeout = 0')
    return work(manager)
  })
}

const RECORD = `
INSERT INTO erasures (id, phone, email, key_id, changes) VALUES ($1, $2, $3, $4, $5)`

/** Does and records a part of an erasure in one transaction. */
async function write<T extends { readonly changes: Changes }>(
  source: DataSource,
  { keys, person, isApplied }: Erasure,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  const [key] = keys
  return erasing(source, isApplied, async (manager) => {
    const result = await work(manager)
    if (totalOf(result.changes) > 0) {
      const { phone, email } = pseudonymsOf(key, person)
      await manager.query(RECORD, [newUuid(), phone, email, keyIdOf(key), result.changes])
    }
    return result
  })
}

import type { Identifiers } from '@malipo/kit/http/pseudonym'
import { changedRows } from '@malipo/kit/postgres/erasing'
import type { EntityManager } from 'typeorm'
import { referenceOf } from '../payments/payment.view.js'
import {
  type Changes,
  ERASED_BODY,
  erasedHash,
  isAbout,
  redactTexts,
  RETAINED_HEADERS,
  type Texts,
} from './erasure.js'

/** Statements on the evidence: what providers sent, and what operators wrote. */

interface HashedMessage {
  readonly id: string
  /** Hexadecimal. */
  readonly bodyHash: string
}

/* A conflict has no payment, but states its reference. */
const MESSAGES_OF = `
SELECT id, encode(body_hash, 'hex') AS "bodyHash"
FROM provider_messages
WHERE erased_at IS NULL
  AND (
    payment_id = ANY ($1::uuid[])
    OR attempt_id IN (SELECT id FROM payment_attempts WHERE payment_id = ANY ($1::uuid[]))
    OR outcome = 'conflict' AND reading ->> 'reference' = ANY ($2::text[])
  )
ORDER BY id
FOR NO KEY UPDATE`

const ERASE_MESSAGES = `
UPDATE provider_messages
SET
  body = convert_to($2, 'UTF8'),
  body_hash = decode(new.hash, 'hex'),
  headers = (
    SELECT coalesce(jsonb_object_agg(name, value), '{}')
    FROM jsonb_each(headers) AS header (name, value)
    WHERE name = ANY ($3::text[])
  ),
  erased_at = now()
FROM json_to_recordset($1) AS new (id uuid, hash text)
WHERE provider_messages.id = new.id AND erased_at IS NULL`

async function eraseMessages(
  manager: EntityManager,
  key: Buffer,
  messages: readonly HashedMessage[],
): Promise<number> {
  const rows = messages.map(({ id, bodyHash }) => ({
    id,
    hash: erasedHash(key, id, bodyHash).toString('hex'),
  }))
  return changedRows(manager, ERASE_MESSAGES, [JSON.stringify(rows), ERASED_BODY, RETAINED_HEADERS])
}

const OF_ATTEMPT = 'attempt_id IN (SELECT id FROM payment_attempts WHERE payment_id = ANY ($1))'

/** Tables with free text of operators, and the columns of their primary keys with their types. */
const TEXTS = [
  {
    table: 'payment_events',
    key: { payment_id: 'uuid', version: 'integer' },
    columns: ['reason'],
    // The others are replaced as a whole.
    ofPayments: `payment_id = ANY ($1) AND cause <> 'status'`,
  },
  {
    table: 'attempt_events',
    key: { attempt_id: 'uuid', version: 'integer' },
    columns: ['reason'],
    ofPayments: OF_ATTEMPT,
  },
  {
    table: 'attempt_proposals',
    key: { id: 'uuid' },
    columns: ['reason', 'evidence'],
    ofPayments: OF_ATTEMPT,
  },
  {
    table: 'operator_actions',
    key: { id: 'uuid' },
    columns: ['reason', 'evidence'],
    ofPayments: `(payment_id = ANY ($1) OR ${OF_ATTEMPT})`,
  },
] as const

type TextTable = (typeof TEXTS)[number]

async function eraseTexts(
  manager: EntityManager,
  key: Buffer,
  table: TextTable,
  ids: readonly string[],
  identifiers: Identifiers,
): Promise<number> {
  const { table: name, columns } = table
  const names = Object.keys(table.key)
  const found = await manager.query<(Texts & { readonly row: string })[]>(
    `SELECT concat_ws(' ', ${names.join(', ')}) AS row, ${columns.join(', ')} FROM ${name}
     WHERE ${table.ofPayments} AND num_nonnulls(${columns.join(', ')}) > 0
     ORDER BY ${names.join(', ')} FOR NO KEY UPDATE`,
    [ids],
  )
  const isRow = Object.entries(table.key)
    .map(([column, type], n) => `${column} = split_part($1, ' ', ${n + 1})::${type}`)
    .join(' AND ')
  const assigned = columns.map((column, n) => `${column} = $${n + 2}`).join(', ')
  let changed = 0
  for (const { row, ...texts } of found) {
    const redacted = redactTexts(key, texts, identifiers)
    if (!redacted) continue
    const values = columns.map((column) => redacted[column])
    changed += await changedRows(manager, `UPDATE ${name} SET ${assigned} WHERE ${isRow}`, [
      row,
      ...values,
    ])
  }
  return changed
}

/**
 * Erases the messages of these payments, and the identifiers in what operators wrote about them.
 *
 * @returns also the ids of the messages
 */
export async function eraseEvidence(
  manager: EntityManager,
  key: Buffer,
  ids: readonly string[],
  identifiers: Identifiers,
): Promise<{ readonly changes: Changes; readonly messages: readonly string[] }> {
  const references = ids.map(referenceOf)
  const messages = await manager.query<HashedMessage[]>(MESSAGES_OF, [ids, references])
  const changes: Record<string, number> = {
    provider_messages: await eraseMessages(manager, key, messages),
  }
  for (const table of TEXTS) {
    changes[table.table] = await eraseTexts(manager, key, table, ids, identifiers)
  }
  return { changes, messages: messages.map(({ id }) => id) }
}

/* Without locks, which repetitions of a callback would wait for: bodies don't change. */
const UNRELATED = `
SELECT id, encode(body_hash, 'hex') AS "bodyHash", encode(body, 'base64') AS body, headers
FROM provider_messages
WHERE id > $1 AND payment_id IS NULL AND attempt_id IS NULL AND erased_at IS NULL
ORDER BY id
LIMIT $2`

interface UnrelatedMessage extends HashedMessage {
  /** Base64. */
  readonly body: string
  readonly headers: object
}

interface Page {
  readonly after: string
  readonly limit: number
  /** Messages of the person's payments, such as conflicts: a dry run has not changed them. */
  readonly without: ReadonlySet<string>
}

/** Erases the next messages that belong to no payment and contain an identifier. @returns the last id, if any */
export async function eraseUnrelated(
  manager: EntityManager,
  key: Buffer,
  identifiers: Identifiers,
  { after, limit, without }: Page,
): Promise<{ readonly last: string | undefined; readonly changes: Changes }> {
  const found = await manager.query<UnrelatedMessage[]>(UNRELATED, [after, limit])
  const about = found.filter(
    ({ id, body, headers }) =>
      !without.has(id) && isAbout({ body: Buffer.from(body, 'base64'), headers }, identifiers),
  )
  const changed = await eraseMessages(manager, key, about)
  return { last: found.at(-1)?.id, changes: { provider_messages: changed } }
}

import type { Identifiers } from '@malipo/kit/http/pseudonym'
import { changedRows } from '@malipo/kit/postgres/erasing'
import type { EntityManager } from 'typeorm'
import type { Changes, Contact, ContactOfPayment } from './erasure.js'

/** Statements on the payments of a person, and on what belongs to them. Each returns the number of changed rows. */

/** A phone has an index, an email has none: it is searched for in all payments. */
function conditionOf({ emails }: Identifiers): string {
  return emails.length === 0
    ? 'customer_phone = ANY ($1::text[])'
    : '(customer_phone = ANY ($1::text[]) OR customer_email = ANY ($2::text[]))'
}

const valuesOf = ({ phones, emails }: Identifiers) =>
  emails.length === 0 ? [phones] : [phones, emails]

/** The next payments of a person, in the order of their ids. */
export async function findPayments(
  manager: EntityManager,
  person: Identifiers,
  after: string,
  limit: number,
): Promise<string[]> {
  const values = valuesOf(person)
  const found = await manager.query<{ id: string }[]>(
    `SELECT id FROM payments
     WHERE ${conditionOf(person)} AND id > $${values.length + 1}::uuid
     ORDER BY id LIMIT $${values.length + 2}`,
    [...values, after, limit],
  )
  return found.map(({ id }) => id)
}

/** An attempt is not closed, or it failed and is still queried, because the payer may have paid. */
const IS_OPEN = `EXISTS (
  SELECT FROM payment_attempts AS attempt
  WHERE attempt.payment_id = payments.id
    AND (closed_at IS NULL OR EXISTS (SELECT FROM attempt_work WHERE attempt_id = attempt.id))
)`

/** The number of a person's payments whose provider is still asked. */
export async function countOpen(manager: EntityManager, person: Identifiers): Promise<number> {
  const [row] = await manager.query<{ count: number }[]>(
    `SELECT count(*)::integer AS count FROM payments WHERE ${conditionOf(person)} AND ${IS_OPEN}`,
    valuesOf(person),
  )
  return row?.count ?? 0
}

/** Locks payments in the order of their ids. @returns those whose provider is not asked any more */
export async function lockClosed(
  manager: EntityManager,
  ids: readonly string[],
): Promise<ContactOfPayment[]> {
  await manager.query(
    'SELECT FROM payments WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE',
    [ids],
  )
  // A statement after the lock has a snapshot with what others committed meanwhile.
  return manager.query<ContactOfPayment[]>(
    `SELECT id, customer_phone AS phone, customer_email AS email FROM payments
     WHERE id = ANY ($1::uuid[]) AND NOT ${IS_OPEN} ORDER BY id`,
    [ids],
  )
}

/** Replaces the contact, and the free text of the merchant. */
const PAYMENTS = `
UPDATE payments
SET
  customer_phone = new.phone,
  customer_email = new.email,
  description = CASE WHEN description IS NOT NULL THEN 'erased' END,
  metadata = CASE WHEN metadata <> '{}' THEN '{"erased": "true"}' ELSE '{}' END::jsonb
FROM json_to_recordset($1) AS new (id uuid, phone text, email text)
WHERE payments.id = new.id
  AND (
    (customer_phone, customer_email) <> (new.phone, new.email)
    OR description <> 'erased'
    OR metadata NOT IN ('{}', '{"erased": "true"}')
  )`

/** Of a status that a merchant or an operator set. */
const REASONS = `
UPDATE payment_events
SET reason = 'erased'
WHERE payment_id = ANY ($1::uuid[]) AND cause = 'status' AND reason <> 'erased'`

/** The next delivery builds a body again. One that has the pseudonym was built from the erased payment. */
const NOTIFICATIONS = `
UPDATE notifications
SET body = NULL
FROM json_to_recordset($1) AS new (id uuid, phone text, email text)
WHERE subject_id = new.id AND body IS NOT NULL AND strpos(body, new.email) = 0`

/** What merchants answered, who may have repeated what they received. */
const ANSWERS = `
UPDATE delivery_tries
SET answer = 'erased'
FROM deliveries
JOIN notifications ON notifications.id = notification_id
WHERE deliveries.id = delivery_id AND subject_id = ANY ($1::uuid[]) AND answer <> 'erased'`

/**
 * From a fingerprint, a phone could be guessed. No request has an empty one: until the key is deleted, a repetition of
 * the request is rejected, and creates no second payment.
 */
const FINGERPRINTS = `
UPDATE idempotency_keys
SET fingerprint = ''
WHERE resource_type = 'payment' AND resource_id = ANY ($1::uuid[]) AND fingerprint <> ''`

/** Of a payer without other payments, the times of the last requests are deleted. */
const PAYERS = `
DELETE FROM payers
WHERE phone = ANY ($1::text[])
  AND NOT EXISTS (SELECT FROM payments WHERE customer_phone = payers.phone)`

/** Replaces what belongs to these payments, and the payments last. */
export async function erasePayments(
  manager: EntityManager,
  contacts: readonly ContactOfPayment[],
  erased: (contact: Contact) => Contact,
): Promise<Changes> {
  const ids = contacts.map(({ id }) => id)
  const changed = JSON.stringify(contacts.map((each) => ({ id: each.id, ...erased(each) })))
  const phones = [...new Set(contacts.map(({ phone }) => phone))]
  return {
    payment_events: await changedRows(manager, REASONS, [ids]),
    notifications: await changedRows(manager, NOTIFICATIONS, [changed]),
    delivery_tries: await changedRows(manager, ANSWERS, [ids]),
    idempotency_keys: await changedRows(manager, FINGERPRINTS, [ids]),
    payments: await changedRows(manager, PAYMENTS, [changed]),
    payers: await erasePayers(manager, phones),
  }
}

export async function erasePayers(manager: EntityManager, phones: readonly string[]) {
  return changedRows(manager, PAYERS, [phones])
}

import { readFileSync, writeFileSync } from 'node:fs'
import { freshDatabase, query } from '@malipo/testing/database'
import { dumpRelease, releasesIn, schemaOf } from '@malipo/testing/release'
import { expect, it, onTestFinished } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { newUser, type User } from './auth.js'
import { migrate, startPayments } from './payments.js'
import { as, type As, fromProvider, newPayment, webhookBody } from './requests.js'

/**
 * Upgrades the database of each release in `releases/`, with rows that the release wrote. These files never
 * change, since there are databases like them. To add those of a release, on its commit:
 *
 *     RELEASE=0.2.0 npx vitest run services/payments/test/releases.spec.ts
 */
const FOLDER = new URL('releases/', import.meta.url)
const { releases, added } = releasesIn(FOLDER)

/** Stands for the id of the payments' owner, who registers in each run. */
const OWNER = '00000000-0000-7000-8000-000000000001'
/** Tables that the service computes from the events. */
const DERIVED = ['payment_totals', 'payment_totals_position']
const KEY = { 'idempotency-key': 'order-17' }
const CARD = { amount: '50.05', currency: 'USD', paymentMethod: 'CARD' }
const DETAILS = {
  description: 'Shoes, “size 42”',
  metadata: { order: '17', note: `it's \\ "new"` },
}

const WEBHOOK = { webhookId: 'evt-of-the-release', providerTransactionId: 'MP260101.1' }

/** What the API shows of a release's payments. */
interface Shown {
  readonly list: unknown
  readonly events: Record<string, unknown>
  /** The payment that has received `WEBHOOK`. */
  readonly reference: string
}

it.runIf(added)('writes the database of a new release', async () => {
  const owner = await newUser()
  const payments = await startPayments()
  onTestFinished(() => payments.close())
  const user = as(owner, payments)
  await user.create({ ...CARD, ...DETAILS }, KEY)
  await newPayment(user)
  await newPayment(user, 'PENDING', 'SUCCESS')
  const failed = await newPayment(user, 'PENDING')
  await user.move(failed, 'FAILED', {}, { reason: 'The customer has cancelled.' })
  const reference = await newPayment(user, 'PENDING')
  await fromProvider(payments, webhookBody(reference, 'SUCCESS', WEBHOOK))
  await fromProvider(payments, webhookBody(reference, 'FAILED', WEBHOOK))
  const sql = await dumpRelease(payments.databaseUrl, dataSource.migrations, DERIVED)
  const shown: Shown = { ...(await shownBy(user)), reference }
  const write = (extension: string, text: string) =>
    writeFileSync(new URL(`${added}.${extension}`, FOLDER), text.replaceAll(owner.id, OWNER))
  write('sql', sql)
  write('json', `${JSON.stringify(shown, null, 2)}\n`)
})

async function shownBy(user: As): Promise<Omit<Shown, 'reference'>> {
  const { body: list } = await user.list()
  const references = (list.data as { reference: string }[]).map((each) => each.reference)
  const events = await Promise.all(
    references.map(async (each) => [each, (await user.events(each)).body] as const),
  )
  return { list, events: Object.fromEntries(events) }
}

it.each(releases)('keeps the payments of release %s', async (version) => {
  const { databaseUrl, owner, shown } = await upgraded(version)
  const payments = await startPayments({ DATABASE_URL: databaseUrl })
  onTestFinished(() => payments.close())
  const user = as(owner, payments)
  expect(await shownBy(user)).toMatchObject({ list: shown.list, events: shown.events })
  const repeated = await user.create({ ...CARD, ...DETAILS }, KEY)
  expect(repeated.headers.get('idempotent-replayed')).toBe('true')
  const webhook = webhookBody(shown.reference, 'SUCCESS', WEBHOOK)
  expect((await fromProvider(payments, webhook)).body.version).toBe(3)
  const other = webhookBody(shown.reference, 'FAILED', WEBHOOK)
  expect((await fromProvider(payments, other)).status).toBe(422)
  expect(await newPayment(user, 'PENDING', 'SUCCESS')).toMatch(/^PAY-/)
})

it.each(releases)('gives a database of release %s the schema of a new one', async (version) => {
  const { databaseUrl } = await upgraded(version)
  const newDatabase = await freshDatabase('payments')
  await migrate(newDatabase)
  expect(await schemaOf(databaseUrl)).toEqual(await schemaOf(newDatabase))
})

/** Restores the database of a release for a new owner, and runs the pending migrations. */
async function upgraded(version: string) {
  const owner: User = await newUser()
  const read = (extension: string) =>
    readFileSync(new URL(`${version}.${extension}`, FOLDER), 'utf8').replaceAll(OWNER, owner.id)
  const databaseUrl = await freshDatabase('payments')
  await query(databaseUrl, read('sql'))
  // The rows have their ids, which the sequence has not issued.
  await query(databaseUrl, `SELECT setval('migrations_id_seq', max(id)) FROM migrations`)
  // A key is retained for 24 hours.
  await query(databaseUrl, 'UPDATE idempotency_keys SET created_at = now()')
  await migrate(databaseUrl)
  return { databaseUrl, owner, shown: JSON.parse(read('json')) as Shown }
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { columnsWith } from '@malipo/testing/personal-data'
import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  erase,
  insertNotification,
  insertParked,
  insertPayments,
  insertTexts,
  KEY,
  keysFile,
  newPayer,
  type Payer,
  paying,
} from './erasures.js'
import { SECRETS } from './payments.js'
import { type ProviderStage, startProviderStage } from './provider-stage.js'
import { fromProvider, webhookBody } from './requests.js'

/** The built `erase` command, on what the service has stored. */

const DATA = readFileSync(new URL('../../../docs/data.md', import.meta.url), 'utf8')
const MESSAGES = join(import.meta.dirname, '../dist/cli/messages.js')

let stage: ProviderStage
let url: string
beforeAll(async () => {
  stage = await startProviderStage({ PAYER_OPEN_MAX: '1000', PAYER_HOURLY_MAX: '100' })
  url = stage.payments.databaseUrl
})
afterAll(() => stage.close())

const run = (args: string[], own?: Record<string, string | undefined>) => erase(url, args, own)
const sql: ProviderStage['payments']['sql'] = (text, ...values) =>
  stage.payments.sql(text, ...values)
const found = ({ national, email }: Payer) => columnsWith(url, national, email)
const argsOf = ({ phone, email }: Payer) => ['--phone', phone, '--email', email]

/** The rows of all tables but those that workers write, without those of one table. */
async function everything(...without: string[]) {
  const tables = await sql<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  )
  const derived = ['payment_totals', 'payment_totals_position', 'provider_call_limits', ...without]
  const stored = tables.filter(({ name }) => !derived.includes(name))
  return Promise.all(
    stored.map(async ({ name }) => [
      name,
      await sql(
        `SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM ${name} AS t`,
      ),
    ]),
  )
}

/** What an erasure must not change. */
const facts = () =>
  sql(
    `SELECT payments.id, owner_id, amount_minor, currency, payment_method, status, account,
       provider_transaction_id, created_at::text, updated_at::text, payments.version,
       (SELECT json_agg(to_jsonb(event) - 'reason' ORDER BY version) FROM payment_events AS event
        WHERE payment_id = payments.id) AS events,
       (SELECT json_agg(to_jsonb(attempt) ORDER BY id) FROM payment_attempts AS attempt
        WHERE payment_id = payments.id) AS attempts,
       (SELECT json_agg(to_jsonb(message) - '{body,body_hash,headers,erased_at}'::text[] ORDER BY id)
        FROM provider_messages AS message WHERE payment_id = payments.id) AS messages
     FROM payments ORDER BY id`,
  )

const totals = () =>
  sql(
    `SELECT to_status, currency, count(*), sum(amount_minor) FROM payment_events
     JOIN payments ON payments.id = payment_id GROUP BY 1, 2 ORDER BY 1, 2`,
  )

/** Whether docs/data.md has a row for a column: `| payments | customer_phone | …`. */
function isDocumented(name: string): boolean {
  const [table = '', column = ''] = name.split('.')
  const rows = DATA.split('\n').filter((line) => line.startsWith('|'))
  const first = rows.findIndex((row) => row.startsWith(`| \`${table}\``))
  const next = rows.findIndex((row, nth) => nth > first && !row.startsWith('|  '))
  return rows.slice(first, next).some((row) => row.split('|')[2]?.includes(`\`${column}\``))
}

/** A payer whose data is in every table that may hold it. */
async function newHistory(): Promise<Payer> {
  const payer = newPayer()
  const input = paying(payer)
  const { user, payments } = stage
  const texts = { description: `for ${payer.email}`, metadata: { phone: payer.phone } }
  const charged = await Promise.all(
    ['mtn-ug', 'airtel-ug', 'acme'].map(async (provider) => {
      const created = await user.create({ ...input, ...texts, provider })
      expect(created.status).toBe(201)
      return created.body.id as string
    }),
  )
  const { body } = await user.create({ ...input, ...texts }, { 'idempotency-key': payer.national })
  const reference = body.reference as string
  await user.move(reference, 'PENDING', {}, { reason: `${payer.phone} has called` })
  const settled = webhookBody(reference, 'SUCCESS', { payer: payer.phone })
  await fromProvider(payments, settled, { secret: SECRETS.new })
  await fromProvider(payments, { ...settled, status: 'FAILED' }, { secret: SECRETS.new })
  await insertNotification(payments, body.id as string, payer)
  await insertParked(payments, JSON.stringify({ msisdn: payer.national }))
  await until(async () => (await open(payer)) === 0)
  await insertTexts(payments, charged[0] ?? '', payer)
  await sql(
    `UPDATE idempotency_keys SET key = 'order-' || resource_id WHERE key = $1`,
    payer.national,
  )
  return payer
}

const open = async ({ phone }: Payer) =>
  (
    await sql(
      `SELECT FROM payments JOIN payment_attempts AS attempt ON payment_id = payments.id
       WHERE customer_phone = $1
         AND (closed_at IS NULL OR EXISTS (SELECT FROM attempt_work WHERE attempt_id = attempt.id))`,
      phone,
    )
  ).length

describe('the erase command', () => {
  it('leaves no phone and email of a payer in any column, and all facts as they were', async () => {
    const other = await newHistory()
    const payer = await newHistory()
    const holding = [
      'attempt_events.reason',
      'attempt_proposals.evidence',
      'attempt_proposals.reason',
      'delivery_tries.answer',
      'notifications.body',
      'operator_actions.evidence',
      'operator_actions.reason',
      'payers.phone',
      'payment_events.reason',
      'payments.customer_email',
      'payments.customer_phone',
      'payments.description',
      'payments.metadata',
      'provider_messages.body',
    ]
    expect((await found(payer)).toSorted()).toEqual(holding)
    expect(holding.filter((name) => !isDocumented(name))).toEqual([])
    const before = { facts: await facts(), totals: await totals() }

    const all = await everything()
    const dry = await run(argsOf(payer))
    expect([dry.code, dry.err]).toEqual([0, ''])
    expect(dry.lines.at(-1)).toMatch(/^dry run: \d+ rows would change; pass --apply/)
    expect(await everything()).toEqual(all)

    const applied = await run([...argsOf(payer), '--apply'])
    expect([applied.code, applied.err]).toEqual([0, ''])
    expect(applied.lines.slice(0, -1)).toEqual(dry.lines.slice(0, -1))
    expect(applied.lines).toEqual(
      expect.arrayContaining(['payments 4', 'payment_events 1', 'notifications 1', 'payers 1']),
    )
    expect(applied.lines.at(-1)).toMatch(/^erased: \d+ rows changed$/)
    expect(applied.lines.join()).not.toContain(payer.national)
    expect(await found(payer)).toEqual([])
    expect((await found(other)).toSorted()).toEqual(holding)
    expect({ facts: await facts(), totals: await totals() }).toEqual(before)

    const erased = await everything()
    const again = await run([...argsOf(payer), '--apply'])
    expect([again.code, again.lines.at(-1)]).toEqual([0, 'erased: 0 rows changed'])
    expect(await everything()).toEqual(erased)
  })

  it('shows the same pseudonyms for all payments, and none in a list by the old phone', async () => {
    const payer = newPayer()
    const { user } = stage
    const one = (
      await user.create({ ...paying(payer), description: 'shoes', metadata: { a: 'b' } })
    ).body
    const two = (await user.create(paying(payer))).body
    const etag = (await user.get(one.reference as string)).headers.get('etag')
    await run([...argsOf(payer), '--apply'])
    const list = `?customerPhone=${encodeURIComponent(payer.phone)}`
    expect((await user.list(list)).body.data).toEqual([])
    const shown = await user.get(one.reference as string)
    expect(shown.body).toEqual({
      ...one,
      customerPhone: expect.stringMatching(/^\+999\d{12}$/),
      customerEmail: expect.stringMatching(/^[\da-f]{32}@erased\.invalid$/),
      description: 'erased',
      metadata: { erased: 'true' },
    })
    expect(shown.headers.get('etag')).toBe(etag)
    const { customerPhone, customerEmail } = shown.body
    expect((await user.get(two.reference as string)).body).toEqual({
      ...two,
      customerPhone,
      customerEmail,
    })
    // An open payment without a provider goes its way.
    expect((await user.move(two.reference as string, 'PENDING')).status).toBe(200)
  })

  it('finds payments by email, and maps each payment’s own phone', async () => {
    const payer = newPayer()
    const elsewhere = { ...payer, phone: newPayer().phone }
    await insertPayments(stage.payments, payer, 2)
    await insertPayments(stage.payments, elsewhere, 1)
    const { lines } = await run([], { ERASE_EMAIL: payer.email.toUpperCase() })
    expect(lines).toContain('payments 3')
    await run(['--email', payer.email, '--apply'])
    expect(await columnsWith(url, payer.national, elsewhere.phone.slice(4), payer.email)).toEqual(
      [],
    )
  })

  it('recognises its pseudonyms after a rotation of the key', async () => {
    const payer = newPayer()
    await insertPayments(stage.payments, payer, 1)
    await run([...argsOf(payer), '--apply'])
    const rotated = { ERASURE_KEYS_FILE: keysFile('another key of pseudonyms, long enough', KEY) }
    const late = await insertParked(stage.payments, payer.email)
    const { lines } = await run([...argsOf(payer), '--apply'], rotated)
    expect(lines.at(-1)).toBe('erased: 1 rows changed')
    const [message] = await sql<{ body: string }>(
      `SELECT convert_from(body, 'UTF8') AS body FROM provider_messages WHERE id = $1`,
      late,
    )
    expect(message?.body).toBe('{"erased":true}')
    const [recorded] = await sql(
      `SELECT changes, phone LIKE '+999%' AS phone, email LIKE '%@erased.invalid' AS email
       FROM erasures ORDER BY id DESC LIMIT 1`,
    )
    expect(recorded).toEqual({ changes: { provider_messages: 1 }, phone: true, email: true })
  })

  it('lets a repeated request with an idempotency key create no second payment', async () => {
    const payer = newPayer()
    const key = { 'idempotency-key': `order-${Date.now()}` }
    await stage.user.create(paying(payer), key)
    await run([...argsOf(payer), '--apply'])
    const repeated = await stage.user.create(paying(payer), key)
    expect([repeated.status, repeated.body.type]).toEqual([422, '/problems/idempotency-key-reused'])
    expect(await found(payer)).toEqual([])
  })

  it('lets `messages verify` report erased evidence, and no failure', async () => {
    const payer = newPayer()
    const { reference } = (await stage.user.create(paying(payer))).body
    await fromProvider(stage.payments, webhookBody(reference as string, 'PENDING'))
    const verify = () => erase(url, ['verify', '--payment', reference as string], {}, MESSAGES)
    expect((await verify()).lines.at(-1)).toBe('verified: 1 valid')
    await run([...argsOf(payer), '--apply'])
    const { code, lines } = await verify()
    expect([code, lines.at(-1)]).toEqual([0, 'verified: 1 erased'])
    // The webhook’s id still is recognised.
    const [stored] = await sql<{ id: string; headers: object }>(
      `SELECT webhook_id AS id, headers FROM provider_messages WHERE reading->>'reference' = $1`,
      reference,
    )
    expect(Object.keys(stored?.headers ?? {})).toEqual(['webhook-timestamp'])
    const repeated = webhookBody(reference as string, 'PENDING', { webhookId: stored?.id })
    expect((await fromProvider(stage.payments, repeated)).status).toBe(200)
    expect(
      (await sql('SELECT FROM provider_messages WHERE webhook_id = $1', stored?.id)).length,
    ).toBe(1)
  })

  it('erases a conflict again that is received again with the same bytes', async () => {
    const payer = newPayer()
    const { reference } = (await stage.user.create(paying(payer))).body
    const applied = webhookBody(reference as string, 'PENDING')
    await fromProvider(stage.payments, applied)
    const conflict = { ...applied, status: 'FAILED', payer: payer.phone }
    for (const expected of ['provider_messages 2', 'provider_messages 1']) {
      expect((await fromProvider(stage.payments, conflict)).status).toBe(422)
      const { code, err, lines } = await run([...argsOf(payer), '--apply'])
      expect([code, err]).toEqual([0, ''])
      expect(lines).toContain(expected)
      expect(await found(payer)).toEqual([])
    }
  })
})

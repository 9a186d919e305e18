import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { providersFile } from './provider-stage.js'
import { as, type As } from './requests.js'

/** How often a payer's phone may ring, and how many payments a merchant may create. */

/** Never answers, so that attempts stay open. */
const BLACKHOLE = 'http://10.255.255.1'

let payments: Payments
let other: Payments
let owner: User
let user: As
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'malipo-limits-'))
  payments = await startPayments({
    PROVIDERS_FILE: providersFile(folder, BLACKHOLE),
    PAYER_OPEN_MAX: '3',
    PAYER_HOURLY_MAX: '5',
    MERCHANT_DAILY_MAX: '60',
  })
  other = await payments.replica()
  owner = await newUser()
  user = as(owner, payments)
})
afterAll(async () => {
  await other.close()
  await payments.close()
})

let last = 100
const newPhone = () => `+256772000${last++}`
const create = (customerPhone: string, own = {}, headers = {}, by = user) =>
  by.create({ provider: 'acme', customerPhone, ...own }, headers)

async function fail(phone: string) {
  await payments.sql(
    `UPDATE payments SET status = 'FAILED', attempt_version = 9
      WHERE customer_phone = $1 AND status IN ('INITIATED', 'PENDING')`,
    phone,
  )
}

describe('a payer', () => {
  it('has at most 3 open payments, over all merchants: 429', async () => {
    const phone = newPhone()
    const stranger = as(await newUser(), other)
    for (const by of [user, stranger, user])
      expect((await create(phone, {}, {}, by)).status).toBe(201)
    const refused = await create(phone, {}, {}, stranger)
    expect(refused.status).toBe(429)
    expect(refused.body.type).toContain('payer-limit')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await create(phone, { provider: 'manual' })).status).toBe(201)
    expect((await create(newPhone())).status).toBe(201)
  })

  it('has at most 5 payments an hour, also if they have ended', async () => {
    const phone = newPhone()
    for (let nth = 0; nth < 5; nth++) {
      expect((await create(phone)).status).toBe(201)
      await fail(phone)
    }
    expect((await create(phone)).status).toBe(429)
    await payments.sql(
      `UPDATE payers SET recent = ARRAY(SELECT unnest(recent) - interval '1 hour') WHERE phone = $1`,
      phone,
    )
    expect((await create(phone)).status).toBe(201)
  })

  it('has no more of them by concurrent requests to two replicas', async () => {
    const phone = newPhone()
    const stranger = as(await newUser(), other)
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, nth) => create(phone, {}, {}, nth % 2 ? user : stranger)),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(9)
  })

  it('is not counted twice by a repeated request, which gets its payment also beyond the limit', async () => {
    const phone = newPhone()
    const key = { 'idempotency-key': v7() }
    const first = await create(phone, {}, key)
    expect((await create(phone, {}, key)).body.id).toBe(first.body.id)
    expect((await create(phone)).status).toBe(201)
    expect((await create(phone)).status).toBe(201)
    const again = await create(phone, {}, key)
    expect(again).toMatchObject({ status: 201, body: { id: first.body.id } })
    const limited = { 'idempotency-key': v7() }
    expect((await create(phone, {}, limited)).status).toBe(429)
    await fail(phone)
    // The refusal is not stored.
    expect((await create(phone, {}, limited)).status).toBe(201)
  })
})

describe('a merchant', () => {
  it('creates at most 60 payments a day with accounts', async () => {
    const merchant = as(await newUser(), payments)
    const statuses: number[] = []
    for (let nth = 0; nth < 3; nth++) {
      const phones = Array.from({ length: 25 }, newPhone)
      const answers = await Promise.all(phones.map((phone) => create(phone, {}, {}, merchant)))
      statuses.push(...answers.map(({ status }) => status))
    }
    expect(statuses.filter((status) => status === 201)).toHaveLength(60)
    expect(statuses.filter((status) => status === 429)).toHaveLength(15)
  })
})

it('a request that no account takes any more gets the payment that it created', async () => {
  const key = { 'idempotency-key': v7() }
  const body = { provider: 'acme', customerPhone: newPhone() }
  const first = await user.create(body, key)
  const folder = mkdtempSync(join(tmpdir(), 'malipo-limits-'))
  const draining = await payments.replica({
    PROVIDERS_FILE: providersFile(folder, BLACKHOLE, { state: 'draining' }),
  })
  const later = as(owner, draining)
  const again = await later.create(body, key)
  expect(again).toMatchObject({ status: 201, body: { id: first.body.id } })
  expect((await later.create(body, { 'idempotency-key': v7() })).status).toBe(422)
  await draining.close()
})

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { type Payments, SECRETS, startPayments } from './payments.js'
import { providersFile } from './provider-stage.js'
import { as, type As, fromProvider, newPayment, webhookBody } from './requests.js'

/** Each provider settles only payments of its account, for their amount, and each with another transaction id. */

const ACME = `whsec_${Buffer.alloc(32, 'acme').toString('base64')}`
const folder = mkdtempSync(join(tmpdir(), 'malipo-webhooks-'))

let payments: Payments
let user: As
beforeAll(async () => {
  payments = await startPayments({
    // Nothing listens there: attempts stay queued, and are tried again.
    PROVIDERS_FILE: providersFile(folder, 'http://127.0.0.1:1'),
    WEBHOOK_SECRETS: `manual=${SECRETS.new},acme=${ACME}`,
  })
  user = as(await newUser(), payments)
})
afterAll(() => payments.close())

async function newCharge(provider = 'acme'): Promise<string> {
  const created = await user.create({ provider })
  expect(created.status).toBe(201)
  const { reference } = created.body
  // A request was sent, for all that anybody knows.
  await payments.sql(
    `UPDATE payment_attempts SET state = 'in_doubt', sent_at = now() WHERE payment_id = $1`,
    created.body.id,
  )
  await payments.sql(
    `UPDATE payments SET status = 'PENDING', attempt_version = 9, version = version + 1 WHERE id = $1 AND status = 'INITIATED'`,
    created.body.id,
  )
  await payments.sql(
    `UPDATE attempt_work SET call = 'query', due_at = 'infinity'
      WHERE attempt_id = (SELECT id FROM payment_attempts WHERE payment_id = $1)`,
    created.body.id,
  )
  return reference
}

const money = { amount: '5000', currency: 'UGX' }
const acme = (body: ReturnType<typeof webhookBody>) =>
  fromProvider(payments, body, { secret: ACME })
const success = (reference: string, own = {}) =>
  webhookBody(reference, 'SUCCESS', { providerTransactionId: v7(), ...money, ...own })

describe('a webhook of an account', () => {
  it('settles a payment of the account, and is evidence', async () => {
    const body = success(await newCharge())
    const answer = await acme(body)
    expect(answer).toMatchObject({
      status: 200,
      body: { status: 'SUCCESS', lastWebhookId: body.webhookId, provider: 'acme' },
    })
    const [stored] = await payments.sql<object>(
      'SELECT source, outcome, kind, attempt_id IS NOT NULL AS "hasAttempt" FROM provider_messages WHERE webhook_id = $1',
      body.webhookId,
    )
    expect(stored).toEqual({
      source: 'provider:acme',
      outcome: 'applied',
      kind: 'webhook',
      hasAttempt: true,
    })
    const again = await acme(body)
    expect(again).toMatchObject({ status: 200, body: { version: answer.body.version } })
  })

  it('settles no payment of another account, and none without', async () => {
    const other = await newCharge('mtn-ug')
    const manual = await newPayment(user, 'PENDING')
    for (const reference of [other, manual]) {
      expect((await acme(success(reference))).status).toBe(404)
      expect((await user.get(reference)).body.status).toBe('PENDING')
    }
    expect(await payments.metric('webhooks_total{outcome="other_account"}')).toBeGreaterThan(0)
  })

  it('is rejected with another amount or currency, which needs an operator', async () => {
    for (const own of [{ amount: 1 }, { currency: 'KES', amount: '5000' }]) {
      const reference = await newCharge()
      expect((await acme(success(reference, own))).status).toBe(422)
      const { body } = await user.get(reference)
      expect(body.status).not.toBe('SUCCESS')
      expect(body.needsAttention).toBe(true)
    }
  })

  it('R6: does not settle two payments with one transaction id', async () => {
    const providerTransactionId = v7()
    const [one, two] = [await newCharge(), await newCharge()]
    await acme(success(one, { providerTransactionId }))
    expect((await acme(success(two, { providerTransactionId }))).status).toBe(200)
    expect((await user.get(one)).body.status).toBe('SUCCESS')
    const { body } = await user.get(two)
    expect(body.status).not.toBe('SUCCESS')
    expect(body.needsAttention).toBe(true)
  })

  it('fails a payment with the stated reason, or with provider_error', async () => {
    const failed = (own: object) => ({ ...own, providerTransactionId: v7() })
    const rejected = await newCharge()
    await acme(webhookBody(rejected, 'FAILED', failed({ failure: { code: 'payer_rejected' } })))
    expect((await user.get(rejected)).body).toMatchObject({
      status: 'FAILED',
      failure: { code: 'payer_rejected', providerCode: 'payer_rejected' },
    })
    const unknown = await newCharge()
    await acme(webhookBody(unknown, 'FAILED', failed({ failure: { code: 'no_idea' } })))
    expect((await user.get(unknown)).body).toMatchObject({
      failure: { code: 'provider_error', providerCode: 'no_idea' },
    })
  })

  it('after a failure is stored as a late success, once', async () => {
    const reference = await newCharge()
    await acme(webhookBody(reference, 'FAILED', { providerTransactionId: v7() }))
    const before = (await user.get(reference)).body
    const late = success(reference)
    expect((await acme(late)).status).toBe(200)
    const { body } = await user.get(reference)
    expect(body).toMatchObject({
      status: 'FAILED',
      needsAttention: true,
      version: before.version + 1,
      lateSuccess: { amount: '5000', providerTransactionId: late.providerTransactionId },
    })
    expect((await acme(success(reference))).status).toBe(200)
    expect((await user.get(reference)).body).toEqual(body)
  })

  it('of which the id is used for another status is a conflict', async () => {
    const reference = await newCharge()
    const body = success(reference)
    await acme(body)
    expect((await acme({ ...body, status: 'FAILED' })).status).toBe(422)
  })
})

describe('a payment with an account', () => {
  it('is not moved by the secret of manual payments', async () => {
    const reference = await newCharge()
    const answer = await fromProvider(payments, success(reference), { secret: SECRETS.new })
    expect(answer.status).toBe(404)
  })

  it('is not moved by its owner: 409', async () => {
    const reference = await newCharge()
    expect((await user.move(reference, 'PENDING')).status).toBe(409)
    expect((await user.webhook(webhookBody(reference, 'SUCCESS'))).status).toBe(409)
    const key = { 'idempotency-key': v7() }
    expect((await user.move(reference, 'PENDING', key)).body.type).toContain('payment-has-provider')
  })

  it('is not moved by code of the previous release', async () => {
    const reference = await newCharge()
    const change = `UPDATE payments SET status = 'SUCCESS', version = version + 1 WHERE reference = $1`
    await expect(payments.sql(change, reference)).rejects.toMatchObject({
      constraint: 'payments_attempt',
    })
  })
})

describe('POST /api/payments', () => {
  it.each([
    ['an unknown account', { provider: 'unknown' }, 'provider-unavailable'],
    ['another currency', { provider: 'acme', currency: 'KES' }, 'provider-unavailable'],
    [
      'another country',
      { provider: 'mtn-ug', customerPhone: '+254712345678' },
      'provider-unavailable',
    ],
    ['another method', { provider: 'mtn-ug', paymentMethod: 'CARD' }, 'provider-unavailable'],
    ['an amount over the limit', { provider: 'acme', amount: 5_000_001 }, 'amount-not-supported'],
  ])('rejects %s with 422', async (_, own, type) => {
    const answer = await user.create(own)
    expect(answer.status).toBe(422)
    expect(answer.body.type).toContain(type)
  })

  it('routes by method, currency and phone', async () => {
    const routed = async (own: object) => (await user.create({ provider: 'route', ...own })).body
    expect(await routed({})).toMatchObject({ provider: 'mtn-ug' })
    expect(await routed({ paymentMethod: 'CARD' })).toMatchObject({ provider: 'acme' })
  })

  it('replays a payment with an account', async () => {
    const key = { 'idempotency-key': v7() }
    const first = await user.create({ provider: 'acme' }, key)
    const again = await user.create({ provider: 'acme' }, key)
    expect(again.body.id).toBe(first.body.id)
    expect(again.body).toMatchObject({ provider: 'acme', providerName: 'standard' })
    expect((await user.create({ provider: 'manual' }, key)).status).toBe(422)
  })
})

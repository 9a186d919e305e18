import { v7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { as, newPayment, webhookBody } from './requests.js'
import { withPayments } from './with-payments.js'

/** Webhooks with a bearer token, for the caller's own payments. */

const { payments, owner, user } = await withPayments()
const stranger = as(await newUser(), payments)

const stored = (webhookId: string) =>
  payments.sql<object>(
    `SELECT source, outcome, reading ->> 'status' AS status FROM provider_messages
      WHERE webhook_id = $1 AND outcome <> 'conflict'`,
    webhookId,
  )
const outcomes = (outcome: string) => payments.metric(`webhooks_total{outcome="${outcome}"}`)

describe('POST /api/payments/webhook/provider', () => {
  it('changes the payment and stores the id', async () => {
    const reference = await newPayment(user, 'PENDING')
    const body = webhookBody(reference, 'SUCCESS', { providerTransactionId: 'MTN-9' })
    const { status, body: payment, headers } = await user.webhook(body)
    expect(status).toBe(200)
    expect(headers.get('etag')).toBe('"3"')
    expect(payment).toMatchObject({
      status: 'SUCCESS',
      version: 3,
      providerTransactionId: 'MTN-9',
      providerName: null,
      lastWebhookId: body.webhookId,
    })
    expect((await user.get(reference)).body).toEqual(payment)
    expect(await stored(body.webhookId)).toEqual([
      { source: `user:${owner.id}`, outcome: 'applied', status: 'SUCCESS' },
    ])
  })

  it('returns 200 for every duplicate, whatever came between', async () => {
    const reference = await newPayment(user)
    const first = webhookBody(reference, 'PENDING')
    expect((await user.webhook(first)).status).toBe(200)
    expect((await user.webhook(first)).body).toMatchObject({ status: 'PENDING', version: 2 })
    await user.move(reference, 'FAILED')
    const duplicates = await outcomes('duplicate')
    const again = await user.webhook(first)
    expect(again.status).toBe(200)
    expect(again.body).toMatchObject({ status: 'FAILED', version: 3 })
    expect(await outcomes('duplicate')).toBe(duplicates + 1)
    expect((await user.events(reference)).body.data).toHaveLength(3)
    expect(await stored(first.webhookId)).toHaveLength(1)
  })

  it.each([
    ['SUCCESS', 'FAILED'],
    ['FAILED', 'SUCCESS'],
    ['SUCCESS', 'SUCCESS'],
    ['SUCCESS', 'PENDING'],
    ['SUCCESS', 'INITIATED'],
  ])(
    'on a payment with status %s, a webhook with %s is superseded: stored, without a change',
    async (current, status) => {
      const reference = await newPayment(user, 'PENDING', current)
      const before = (await user.get(reference)).body
      const body = webhookBody(reference, status)
      for (const _ of ['first', 'duplicate']) {
        const answer = await user.webhook(body)
        expect(answer.status).toBe(200)
        expect(answer.body).toEqual(before)
      }
      expect(await stored(body.webhookId)).toMatchObject([{ outcome: 'superseded', status }])
      expect((await user.events(reference)).body.data).toHaveLength(3)
    },
  )

  it('rejects a premature webhook with 400, stores nothing, and applies it later', async () => {
    const reference = await newPayment(user)
    const body = webhookBody(reference, 'SUCCESS')
    const premature = await user.webhook(body)
    expect(premature.status).toBe(400)
    expect(premature.body.type).toBe('/problems/transition-not-allowed')
    expect(await stored(body.webhookId)).toEqual([])
    await user.move(reference, 'PENDING')
    expect((await user.webhook(body)).body).toMatchObject({ status: 'SUCCESS', version: 3 })
    expect(await stored(body.webhookId)).toMatchObject([{ outcome: 'applied' }])
  })

  it.each([
    ['without a payment', () => Promise.resolve(`PAY-${v7()}`)],
    ['with a malformed reference', () => Promise.resolve('PAY-1')],
    ['for another user’s payment', () => newPayment(stranger)],
  ])('returns 404 for a webhook %s and stores nothing', async (_, referenceOf) => {
    const body = webhookBody(await referenceOf(), 'PENDING')
    const { status, body: problem } = await user.webhook(body)
    expect(status).toBe(404)
    expect(problem.type).toBe('/problems/payment-not-found')
    expect(await stored(body.webhookId)).toEqual([])
  })

  it('does not change another user’s payment', async () => {
    const reference = await newPayment(stranger)
    expect((await user.webhook(webhookBody(reference, 'PENDING'))).status).toBe(404)
    expect((await stranger.get(reference)).body.version).toBe(1)
  })

  it('accepts the same id from different users', async () => {
    const mine = await newPayment(user)
    const theirs = await newPayment(stranger)
    const webhookId = `evt-${v7()}`
    expect((await user.webhook(webhookBody(mine, 'PENDING', { webhookId }))).status).toBe(200)
    const other = await stranger.webhook(webhookBody(theirs, 'PENDING', { webhookId }))
    expect(other).toMatchObject({ status: 200, body: { reference: theirs, status: 'PENDING' } })
    expect(await stored(webhookId)).toHaveLength(2)
  })
})

describe('a reused webhook id', () => {
  const conflicts = (webhookId: string) =>
    payments.sql<object>(
      `SELECT reading ->> 'reference' AS reference, reading ->> 'status' AS status, times
         FROM provider_messages WHERE webhook_id = $1 AND outcome = 'conflict' ORDER BY 1, 2`,
      webhookId,
    )

  it('returns 422 for another reference, without the other payment', async () => {
    const one = await newPayment(user)
    const other = await newPayment(user)
    const first = webhookBody(one, 'PENDING')
    await user.webhook(first)
    const counted = await outcomes('conflict')
    for (const reference of [other, other, `PAY-${v7()}`, await newPayment(stranger), 'PAY-1']) {
      const { status, body } = await user.webhook({ ...first, reference })
      expect(status).toBe(422)
      expect(body.type).toBe('/problems/webhook-id-reused')
      expect(JSON.stringify(body)).not.toContain(one)
    }
    expect((await user.get(other)).body.version).toBe(1)
    expect(await conflicts(first.webhookId)).toHaveLength(4)
    expect(await conflicts(first.webhookId)).toContainEqual({
      reference: other,
      status: 'PENDING',
      times: 2,
    })
    expect(await outcomes('conflict')).toBe(counted + 5)
  })

  it('returns 422 for another status, whether applicable, superseded or premature', async () => {
    const reference = await newPayment(user)
    const first = webhookBody(reference, 'PENDING')
    await user.webhook(first)
    for (const status of ['SUCCESS', 'INITIATED']) {
      expect((await user.webhook({ ...first, status })).status).toBe(422)
    }
    expect((await user.get(reference)).body).toMatchObject({ status: 'PENDING', version: 2 })
    const premature = await newPayment(user)
    expect((await user.webhook({ ...first, reference: premature, status: 'FAILED' })).status).toBe(
      422,
    )
    expect(await conflicts(first.webhookId)).toHaveLength(3)
    expect((await user.webhook(first)).status).toBe(200)
  })
})

describe('POST /api/payments/webhook/provider rejects with 400', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['no webhookId', { webhookId: undefined }, 'webhookId'],
    ['a webhookId that is null', { webhookId: null }, 'webhookId'],
    ['an empty webhookId', { webhookId: '' }, 'webhookId'],
    ['a webhookId over 255 characters', { webhookId: 'x'.repeat(256) }, 'webhookId'],
    ['a webhookId that is a number', { webhookId: 1 }, 'webhookId'],
    ['no reference', { reference: undefined }, 'reference'],
    ['a reference that is an object', { reference: {} }, 'reference'],
    ['a reference over 100 characters', { reference: 'P'.repeat(101) }, 'reference'],
    ['no status', { status: undefined }, 'status'],
    ['an unknown status', { status: 'OK' }, 'status'],
    ['no transaction id', { providerTransactionId: undefined }, 'providerTransactionId'],
    ['an empty transaction id', { providerTransactionId: '' }, 'providerTransactionId'],
    ['no timestamp', { timestamp: undefined }, 'timestamp'],
    ['a timestamp that is a number', { timestamp: 1_769_860_800 }, 'timestamp'],
    ['a malformed timestamp', { timestamp: 'now' }, 'timestamp'],
    ['a date as timestamp', { timestamp: '2026-11-29' }, 'timestamp'],
    ['a week date as timestamp', { timestamp: '2026-W48-7' }, 'timestamp'],
    ['a time without an offset', { timestamp: '2026-11-29T10:00:00' }, 'timestamp'],
    ['a time that the database can’t store', { timestamp: '0000-01-01T00:00:00Z' }, 'timestamp'],
    ['a NUL character in the reference', { reference: 'PAY-\0' }, 'reference'],
    ['a NUL character in the webhookId', { webhookId: 'evt-\0' }, 'webhookId'],
    ['a lone surrogate', { providerTransactionId: '\ud800' }, 'providerTransactionId'],
  ])('%s', async (_, changes, field) => {
    const reference = await newPayment(user)
    const { status, body } = await user.webhook(webhookBody(reference, 'PENDING', changes))
    expect(status).toBe(400)
    expect(body.errors).toEqual([{ field, message: expect.any(String) }])
    expect((await user.get(reference)).body.version).toBe(1)
  })
})

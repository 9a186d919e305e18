import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, type As, newPayment, news } from './requests.js'

let payments: Payments
let owner: User
let user: As
let stranger: As
beforeAll(async () => {
  payments = await startPayments()
  owner = await newUser()
  user = as(owner, payments)
  stranger = as(await newUser(), payments)
})
afterAll(() => payments.close())

describe('GET /api/payments/{reference}', () => {
  it('gives the payment with its version as ETag', async () => {
    const reference = await newPayment(user, 'PENDING')
    const { status, body, headers } = await user.get(reference)
    expect(status).toBe(200)
    expect(body).toMatchObject({ reference, status: 'PENDING', version: 2 })
    expect(headers.get('etag')).toBe('"2"')
  })

  it.each([
    ['an unknown reference', `PAY-${v7()}`],
    ['another id than a UUIDv7', 'PAY-00000000-0000-4000-8000-000000000000'],
    ['no reference', 'PAY-1'],
    ['a NUL character', 'PAY-%00'],
    ['a quotation mark', "PAY-'"],
    ['an id without its prefix', v7()],
  ])('answers 404 to %s', async (_, reference) => {
    for (const answer of [
      await user.get(reference),
      await user.events(reference),
      await user.move(reference, 'PENDING'),
    ]) {
      expect(answer.status).toBe(404)
      expect(answer.body.type).toBe('/problems/payment-not-found')
    }
  })

  it('answers the same 404 to another’s payment as to none', async () => {
    const reference = await newPayment(user)
    for (const call of [
      (one: string) => stranger.get(one),
      (one: string) => stranger.events(one),
      (one: string) => stranger.move(one, 'PENDING'),
    ]) {
      const theirs = await call(reference)
      const none = await call(`PAY-${v7()}`)
      expect(theirs.status).toBe(404)
      const varying = { instance: '', requestId: '' }
      expect({ ...theirs.body, ...varying }).toEqual({ ...none.body, ...varying })
    }
    expect((await user.get(reference)).body.status).toBe('INITIATED')
  })
})

describe('GET /api/payments/{reference}/events', () => {
  it('tells every change: from, to, at, actor, cause, webhook id and reason', async () => {
    const reference = await newPayment(user)
    await user.move(reference, 'PENDING', {}, { reason: 'the customer has agreed' })
    const webhook = news(reference, 'SUCCESS')
    const last = await user.webhook(webhook)
    const { status, body } = await user.events(reference)
    expect(status).toBe(200)
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string
    const nothing = { webhookId: null, reason: null }
    const mine = { at, actor: owner.id, ...nothing }
    expect(body.data).toEqual([
      { ...mine, from: null, to: 'INITIATED', cause: 'create' },
      {
        ...mine,
        from: 'INITIATED',
        to: 'PENDING',
        cause: 'status',
        reason: 'the customer has agreed',
      },
      {
        ...mine,
        from: 'PENDING',
        to: 'SUCCESS',
        cause: 'webhook',
        webhookId: webhook.webhookId,
      },
    ])
    expect(body.data[2].at).toBe(last.body.updatedAt)
    expect(last.body.lastWebhookAt).toBe(last.body.updatedAt)
  })

  it('tells nothing of what was refused', async () => {
    const reference = await newPayment(user)
    expect((await user.move(reference, 'SUCCESS')).status).toBe(400)
    expect((await user.webhook(news(reference, 'SUCCESS'))).status).toBe(400)
    expect((await user.events(reference)).body.data).toHaveLength(1)
  })
})

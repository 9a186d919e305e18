import { v7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { as, newPayment, webhookBody } from './requests.js'
import { withPayments } from './with-payments.js'

const { payments, owner, user } = await withPayments()
const stranger = as(await newUser(), payments)

describe('GET /api/payments/{reference}', () => {
  it('returns the payment with its version as ETag', async () => {
    const reference = await newPayment(user, 'PENDING')
    const { status, body, headers } = await user.get(reference)
    expect(status).toBe(200)
    expect(body).toMatchObject({ reference, status: 'PENDING', version: 2 })
    expect(headers.get('etag')).toBe('"2"')
  })

  it.each([
    ['an unknown reference', `PAY-${v7()}`],
    ['another id than a UUIDv7', 'PAY-00000000-0000-4000-8000-000000000000'],
    ['a malformed reference', 'PAY-1'],
    ['a NUL character', 'PAY-%00'],
    ['a quotation mark', "PAY-'"],
    ['an id without its prefix', v7()],
  ])('returns 404 for %s', async (_, reference) => {
    for (const answer of [
      await user.get(reference),
      await user.events(reference),
      await user.move(reference, 'PENDING'),
    ]) {
      expect(answer.status).toBe(404)
      expect(answer.body.type).toBe('/problems/payment-not-found')
    }
  })

  it('returns the same 404 for another user’s payment as for none', async () => {
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
  it('returns every event: from, to, at, actor, cause, webhook id and reason', async () => {
    const reference = await newPayment(user)
    await user.move(reference, 'PENDING', {}, { reason: 'the customer has agreed' })
    const webhook = webhookBody(reference, 'SUCCESS')
    const last = await user.webhook(webhook)
    const { status, body } = await user.events(reference)
    expect(status).toBe(200)
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string
    const nothing = { webhookId: null, evidence: null, reason: null }
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

  it('has no event for a rejected transition or webhook', async () => {
    const reference = await newPayment(user)
    expect((await user.move(reference, 'SUCCESS')).status).toBe(400)
    expect((await user.webhook(webhookBody(reference, 'SUCCESS'))).status).toBe(400)
    expect((await user.events(reference)).body.data).toHaveLength(1)
  })
})

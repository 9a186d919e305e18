import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, type As, newPayment, news } from './requests.js'

/** Webhooks that are proved by a bearer, for the caller's own payments. */

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

const kept = (webhookId: string) =>
  payments.sql<{ outcome: string; payload: object }>(
    'SELECT source, outcome, status, payload FROM webhooks WHERE webhook_id = $1',
    webhookId,
  )
const outcomes = (outcome: string) => payments.metric(`webhooks_total{outcome="${outcome}"}`)

describe('POST /api/payments/webhook/provider', () => {
  it('moves the payment and remembers the id', async () => {
    const reference = await newPayment(user, 'PENDING')
    const body = news(reference, 'SUCCESS', { providerTransactionId: 'MTN-9' })
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
    expect(await kept(body.webhookId)).toEqual([
      { source: `user:${owner.id}`, outcome: 'applied', status: 'SUCCESS', payload: body },
    ])
  })

  it('may have fields that are not ours, which are kept as evidence', async () => {
    const reference = await newPayment(user)
    const body = news(reference, 'PENDING', { fee: { amount: 1.5 }, tags: ['a', null] })
    expect((await user.webhook(body)).status).toBe(200)
    expect((await kept(body.webhookId))[0]?.payload).toEqual(body)
  })

  it('is answered 200 again for every repeat, whatever came between', async () => {
    const reference = await newPayment(user)
    const first = news(reference, 'PENDING')
    expect((await user.webhook(first)).status).toBe(200)
    expect((await user.webhook(first)).body).toMatchObject({ status: 'PENDING', version: 2 })
    await user.move(reference, 'FAILED')
    const repeats = await outcomes('duplicate')
    const again = await user.webhook(first)
    expect(again.status).toBe(200)
    expect(again.body).toMatchObject({ status: 'FAILED', version: 3 })
    expect(await outcomes('duplicate')).toBe(repeats + 1)
    expect((await user.events(reference)).body.data).toHaveLength(3)
    expect(await kept(first.webhookId)).toHaveLength(1)
  })

  it.each([
    ['SUCCESS', 'FAILED'],
    ['FAILED', 'SUCCESS'],
    ['SUCCESS', 'SUCCESS'],
    ['SUCCESS', 'PENDING'],
    ['SUCCESS', 'INITIATED'],
  ])(
    'on a payment that is %s already, news of %s is kept and changes nothing',
    async (is, told) => {
      const reference = await newPayment(user, 'PENDING', is)
      const before = (await user.get(reference)).body
      const body = news(reference, told)
      for (const _ of ['first', 'repeat']) {
        const answer = await user.webhook(body)
        expect(answer.status).toBe(200)
        expect(answer.body).toEqual(before)
      }
      expect(await kept(body.webhookId)).toMatchObject([{ outcome: 'superseded', status: told }])
      expect((await user.events(reference)).body.data).toHaveLength(3)
    },
  )

  it('that comes too early is 400, leaves no trace, and is applied when it comes in time', async () => {
    const reference = await newPayment(user)
    const body = news(reference, 'SUCCESS')
    const early = await user.webhook(body)
    expect(early.status).toBe(400)
    expect(early.body.type).toBe('/problems/transition-not-allowed')
    expect(await kept(body.webhookId)).toEqual([])
    await user.move(reference, 'PENDING')
    expect((await user.webhook(body)).body).toMatchObject({ status: 'SUCCESS', version: 3 })
    expect(await kept(body.webhookId)).toMatchObject([{ outcome: 'applied' }])
  })

  it.each([
    ['of no payment', () => Promise.resolve(`PAY-${v7()}`)],
    ['of what is no reference', () => Promise.resolve('PAY-1')],
    ['of another’s payment', () => newPayment(stranger)],
  ])('%s is 404 and leaves no trace', async (_, referenceOf) => {
    const body = news(await referenceOf(), 'PENDING')
    const { status, body: problem } = await user.webhook(body)
    expect(status).toBe(404)
    expect(problem.type).toBe('/problems/payment-not-found')
    expect(await kept(body.webhookId)).toEqual([])
  })

  it('of another’s payment leaves it as it was', async () => {
    const reference = await newPayment(stranger)
    expect((await user.webhook(news(reference, 'PENDING'))).status).toBe(404)
    expect((await stranger.get(reference)).body.version).toBe(1)
  })

  it('has ids of its own source: another user’s same id is another webhook', async () => {
    const mine = await newPayment(user)
    const theirs = await newPayment(stranger)
    const webhookId = `evt-${v7()}`
    expect((await user.webhook(news(mine, 'PENDING', { webhookId }))).status).toBe(200)
    const other = await stranger.webhook(news(theirs, 'PENDING', { webhookId }))
    expect(other).toMatchObject({ status: 200, body: { reference: theirs, status: 'PENDING' } })
    expect(await kept(webhookId)).toHaveLength(2)
  })
})

describe('the same webhook id with another content', () => {
  const conflicts = (webhookId: string) =>
    payments.sql<object>(
      'SELECT reference, status, times FROM webhook_conflicts WHERE webhook_id = $1 ORDER BY 1, 2',
      webhookId,
    )

  it('is 422 for another reference, and never another payment’s body', async () => {
    const one = await newPayment(user)
    const other = await newPayment(user)
    const first = news(one, 'PENDING')
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

  it('is 422 for another status, be it possible, past or too early', async () => {
    const reference = await newPayment(user)
    const first = news(reference, 'PENDING')
    await user.webhook(first)
    for (const status of ['SUCCESS', 'INITIATED']) {
      expect((await user.webhook({ ...first, status })).status).toBe(422)
    }
    expect((await user.get(reference)).body).toMatchObject({ status: 'PENDING', version: 2 })
    const early = await newPayment(user)
    expect((await user.webhook({ ...first, reference: early, status: 'FAILED' })).status).toBe(422)
    expect(await conflicts(first.webhookId)).toHaveLength(3)
    expect((await user.webhook(first)).status).toBe(200)
  })
})

describe('POST /api/payments/webhook/provider answers 400 to', () => {
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
    ['a timestamp that is none', { timestamp: 'now' }, 'timestamp'],
  ])('%s', async (_, changes, field) => {
    const reference = await newPayment(user)
    const { status, body } = await user.webhook(news(reference, 'PENDING', changes))
    expect(status).toBe(400)
    expect(body.errors).toEqual([{ field, message: expect.any(String) }])
    expect((await user.get(reference)).body.version).toBe(1)
  })
})

import { randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { v7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type Payments, SECRETS, startPayments } from './payments.js'
import { as, type As, fromProvider, newPayment, news, signed } from './requests.js'

/** Webhooks that are proved by a provider's signature. */

let payments: Payments
let owner: User
let user: As
beforeAll(async () => {
  payments = await startPayments()
  owner = await newUser()
  user = as(owner, payments)
})
afterAll(() => payments.close())

const PATH = '/api/payments/webhook/provider'
const send = (body: string, headers: Record<string, string>) =>
  payments.client.send('POST', PATH, { body, headers })
const rows = () =>
  payments.sql(
    'SELECT count(*)::int AS webhooks, (SELECT count(*)::int FROM payment_events) AS events FROM webhooks',
  )

describe('a webhook that a provider signed', () => {
  it('moves anyone’s payment without a token, and says whose it is', async () => {
    const reference = await newPayment(user, 'PENDING')
    const body = news(reference, 'SUCCESS')
    const answer = await fromProvider(payments, body)
    expect(answer).toMatchObject({
      status: 200,
      body: { status: 'SUCCESS', providerName: 'mtn', lastWebhookId: body.webhookId },
    })
    const events = (await user.events(reference)).body.data
    expect(events[2]).toMatchObject({ actor: 'mtn', cause: 'webhook', webhookId: body.webhookId })
  })

  it('counts by its header’s id when the body has none', async () => {
    const reference = await newPayment(user)
    const id = `msg_${randomUUID()}`
    const body = news(reference, 'PENDING', { webhookId: undefined })
    const answer = await fromProvider(payments, body, { id })
    expect(answer).toMatchObject({ status: 200, body: { lastWebhookId: id } })
  })

  it.each(['old', 'new'] as const)('counts by the %s secret during a rotation', async (name) => {
    const reference = await newPayment(user)
    const answer = await fromProvider(payments, news(reference, 'PENDING'), {
      secret: SECRETS[name],
    })
    expect(answer).toMatchObject({ status: 200, body: { providerName: 'mtn' } })
  })

  it('counts with several signatures, of which one is by a secret that is known', async () => {
    const reference = await newPayment(user)
    const { text, headers } = signed(news(reference, 'PENDING'))
    const unknown = `v1,${Buffer.alloc(32, 1).toString('base64')}`
    const several = `v1a,xyz ${unknown} ${headers['webhook-signature']}`
    expect((await send(text, { ...headers, 'webhook-signature': several })).status).toBe(200)
  })

  it('is repeated with 200 although it was signed anew', async () => {
    const reference = await newPayment(user)
    const body = news(reference, 'PENDING')
    await fromProvider(payments, body, { at: new Date(Date.now() - 60_000) })
    const again = await fromProvider(payments, body, { secret: SECRETS.old })
    expect(again).toMatchObject({ status: 200, body: { version: 2 } })
  })

  it('has ids of its own source: of another provider, or of a user, it is another webhook', async () => {
    const webhookId = `evt-${v7()}`
    const [one, two, three] = [
      await newPayment(user),
      await newPayment(user),
      await newPayment(user),
    ]
    const answers = [
      await fromProvider(payments, news(one, 'PENDING', { webhookId })),
      await fromProvider(payments, news(two, 'PENDING', { webhookId }), { secret: SECRETS.airtel }),
      await user.webhook(news(three, 'PENDING', { webhookId })),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(answers.map(({ body }) => body.providerName)).toEqual(['mtn', 'airtel', null])
    const sources = await payments.sql(
      'SELECT source FROM webhooks WHERE webhook_id = $1 ORDER BY source',
      webhookId,
    )
    expect(sources).toEqual([
      { source: 'provider:airtel' },
      { source: 'provider:mtn' },
      { source: `user:${owner.id}` },
    ])
  })

  it('may bring a body that is spaced in its own way', async () => {
    const reference = await newPayment(user)
    const body = news(reference, 'PENDING')
    const at = new Date()
    const text = `${JSON.stringify(body, null, 4)}\n`
    const signature = new Webhook(SECRETS.new).sign(body.webhookId, at, text)
    const seconds = String(Math.floor(at.getTime() / 1000))
    const headers = {
      'webhook-id': body.webhookId,
      'webhook-timestamp': seconds,
      'webhook-signature': signature,
    }
    expect((await send(text, headers)).status).toBe(200)
  })

  it('of no payment is 404 and leaves no trace', async () => {
    const before = await rows()
    expect((await fromProvider(payments, news(`PAY-${v7()}`, 'PENDING'))).status).toBe(404)
    expect(await rows()).toEqual(before)
  })

  it('that came too early leaves no trace, so that its next try counts', async () => {
    const reference = await newPayment(user)
    const body = news(reference, 'FAILED')
    const before = await rows()
    expect((await fromProvider(payments, body)).status).toBe(400)
    expect(await rows()).toEqual(before)
    await user.move(reference, 'PENDING')
    expect((await fromProvider(payments, body)).body.status).toBe('FAILED')
  })

  it('with another reference or status under its id is 422', async () => {
    const body = news(await newPayment(user), 'PENDING')
    await fromProvider(payments, body)
    const other = { ...body, reference: await newPayment(user) }
    expect((await fromProvider(payments, other)).status).toBe(422)
    expect((await fromProvider(payments, { ...body, status: 'SUCCESS' })).status).toBe(422)
  })

  it('has 400 for an id in the body that is not the signed one', async () => {
    const reference = await newPayment(user)
    const answer = await fromProvider(payments, news(reference, 'PENDING'), { id: 'msg_other' })
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0].field).toBe('webhookId')
    expect((await user.get(reference)).body.version).toBe(1)
  })

  it('has 400 for an id over 255 characters', async () => {
    const body = news(await newPayment(user), 'PENDING', { webhookId: undefined })
    expect((await fromProvider(payments, body, { id: 'x'.repeat(256) })).status).toBe(400)
  })

  it('has 400 for a body of another shape', async () => {
    const before = await rows()
    const body = news(await newPayment(user), 'DONE')
    const answer = await fromProvider(payments, body)
    expect(answer.status).toBe(400)
    expect((await rows())[0]).toMatchObject({
      webhooks: (before[0] as { webhooks: number }).webhooks,
    })
  })
})

describe('a signature that is not valid is 401', () => {
  const WRONG = `whsec_${Buffer.alloc(32, 'wrong').toString('base64')}`

  async function refused(text: string, headers: Record<string, string>, reference: string) {
    const { status, body } = await send(text, headers)
    expect(status).toBe(401)
    expect(body.type).toBe('/problems/webhook-signature')
    expect((await user.get(reference)).body.version).toBe(1)
  }

  it.each<[string, (given: ReturnType<typeof signed>) => { text?: string; headers?: object }]>([
    [
      'made by an unknown secret',
      ({ text }) => signed(JSON.parse(text) as object, { secret: WRONG }),
    ],
    ['over another body', ({ text }) => ({ text: text.replace('PENDING', 'PENDING ') })],
    ['over another id', () => ({ headers: { 'webhook-id': 'msg_other' } })],
    [
      'over another time',
      () => ({ headers: { 'webhook-timestamp': String(Math.floor(Date.now() / 1000) - 9) } }),
    ],
    ['without a time', () => ({ headers: { 'webhook-timestamp': '' } })],
    ['without an id', () => ({ headers: { 'webhook-id': '' } })],
    ['that is empty', () => ({ headers: { 'webhook-signature': '' } })],
    [
      'of another version',
      ({ headers }) => ({
        headers: { 'webhook-signature': headers['webhook-signature'].replace('v1', 'v2') },
      }),
    ],
  ])('%s', async (_, change) => {
    const reference = await newPayment(user)
    const good = signed(news(reference, 'PENDING'))
    const { text = good.text, headers = {} } = change(good)
    await refused(text, { ...good.headers, ...headers }, reference)
  })

  it.each([-301, 301])('made %i seconds from now', async (seconds) => {
    const reference = await newPayment(user)
    const at = new Date(Date.now() + seconds * 1000)
    const { text, headers } = signed(news(reference, 'PENDING'), { at })
    await refused(text, headers, reference)
  })

  it('even with a good token beside it', async () => {
    const reference = await newPayment(user)
    const { text, headers } = signed(news(reference, 'PENDING'), { secret: WRONG })
    await refused(text, { ...headers, authorization: `Bearer ${owner.token}` }, reference)
  })
})

describe('an unsigned webhook', () => {
  it('without a token is 401', async () => {
    const { status, body, headers } = await send(JSON.stringify(news(`PAY-${v7()}`, 'PENDING')), {})
    expect(status).toBe(401)
    expect(body.type).toBe('/problems/unauthenticated')
    expect(headers.get('www-authenticate')).toBe('Bearer')
  })

  it('by a token without payments:settle is 403', async () => {
    const live = await newUser(inject('liveAuthUrl'))
    const replica = await payments.replica({ AUTH_SERVICE_URL: inject('liveAuthUrl') })
    const { reference } = (await as(live, replica).create()).body
    const answer = await as(live, replica).webhook(news(reference as string, 'PENDING'))
    expect(answer.status).toBe(403)
    expect(answer.body.type).toBe('/problems/insufficient-scope')
    await replica.close()
  })
})

import { randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { v7 } from 'uuid'
import { describe, expect, inject, it } from 'vitest'
import { grant, newUser } from './auth.js'
import { SECRETS } from './payments.js'
import { as, fromProvider, newPayment, webhookBody, signed } from './requests.js'
import { withPayments } from './with-payments.js'

/** Webhooks with a provider's signature. */

const { payments, owner, user } = await withPayments()

const PATH = '/api/payments/webhook/provider'
const send = (body: string, headers: Record<string, string>) =>
  payments.client.send('POST', PATH, { body, headers })
const rows = () =>
  payments.sql(
    'SELECT count(*)::int AS webhooks, (SELECT count(*)::int FROM payment_events) AS events FROM provider_messages',
  )

describe('a signed webhook', () => {
  it('changes any user’s payment without a token, and names the provider', async () => {
    const reference = await newPayment(user, 'PENDING')
    const body = webhookBody(reference, 'SUCCESS')
    const answer = await fromProvider(payments, body)
    expect(answer).toMatchObject({
      status: 200,
      body: { status: 'SUCCESS', providerName: 'manual', lastWebhookId: body.webhookId },
    })
    const events = (await user.events(reference)).body.data
    expect(events[2]).toMatchObject({
      actor: 'manual',
      cause: 'webhook',
      webhookId: body.webhookId,
    })
  })

  it('has the id of its header if the body has none', async () => {
    const reference = await newPayment(user)
    const id = `msg_${randomUUID()}`
    const body = webhookBody(reference, 'PENDING', { webhookId: undefined })
    const answer = await fromProvider(payments, body, { id })
    expect(answer).toMatchObject({ status: 200, body: { lastWebhookId: id } })
  })

  it.each(['old', 'new'] as const)(
    'is accepted with the %s secret during a rotation',
    async (name) => {
      const reference = await newPayment(user)
      const answer = await fromProvider(payments, webhookBody(reference, 'PENDING'), {
        secret: SECRETS[name],
      })
      expect(answer).toMatchObject({ status: 200, body: { providerName: 'manual' } })
    },
  )

  it('is accepted if one of several signatures is valid', async () => {
    const reference = await newPayment(user)
    const { text, headers } = signed(webhookBody(reference, 'PENDING'))
    const unknown = `v1,${Buffer.alloc(32, 1).toString('base64')}`
    const several = `v1a,xyz ${unknown} ${headers['webhook-signature']}`
    expect((await send(text, { ...headers, 'webhook-signature': several })).status).toBe(200)
  })

  it('is a duplicate even with a new signature', async () => {
    const reference = await newPayment(user)
    const body = webhookBody(reference, 'PENDING')
    await fromProvider(payments, body, { at: new Date(Date.now() - 60_000) })
    const again = await fromProvider(payments, body, { secret: SECRETS.old })
    expect(again).toMatchObject({ status: 200, body: { version: 2 } })
  })

  it('accepts the same id from a provider and a user', async () => {
    const webhookId = `evt-${v7()}`
    const [one, two] = [await newPayment(user), await newPayment(user)]
    const answers = [
      await fromProvider(payments, webhookBody(one, 'PENDING', { webhookId })),
      await user.webhook(webhookBody(two, 'PENDING', { webhookId })),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(answers.map(({ body }) => body.providerName)).toEqual(['manual', null])
    const sources = await payments.sql(
      'SELECT source FROM provider_messages WHERE webhook_id = $1 ORDER BY source',
      webhookId,
    )
    expect(sources).toEqual([{ source: 'provider:manual' }, { source: `user:${owner.id}` }])
  })

  it('is verified over the bytes as received', async () => {
    const reference = await newPayment(user)
    const body = webhookBody(reference, 'PENDING')
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

  it('returns 404 without a payment and stores nothing', async () => {
    const before = await rows()
    expect((await fromProvider(payments, webhookBody(`PAY-${v7()}`, 'PENDING'))).status).toBe(404)
    expect(await rows()).toEqual(before)
  })

  it('stores nothing if premature, so that its next delivery is applied', async () => {
    const reference = await newPayment(user)
    const body = webhookBody(reference, 'FAILED')
    const before = await rows()
    expect((await fromProvider(payments, body)).status).toBe(400)
    expect(await rows()).toEqual(before)
    await user.move(reference, 'PENDING')
    expect((await fromProvider(payments, body)).body.status).toBe('FAILED')
  })

  it('returns 422 for a reused id', async () => {
    const body = webhookBody(await newPayment(user), 'PENDING')
    await fromProvider(payments, body)
    const other = { ...body, reference: await newPayment(user) }
    expect((await fromProvider(payments, other)).status).toBe(422)
    expect((await fromProvider(payments, { ...body, status: 'SUCCESS' })).status).toBe(422)
  })

  it('returns 400 if the body has another id than the header', async () => {
    const reference = await newPayment(user)
    const answer = await fromProvider(payments, webhookBody(reference, 'PENDING'), {
      id: 'msg_other',
    })
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0].field).toBe('webhookId')
    expect((await user.get(reference)).body.version).toBe(1)
  })

  it('returns 400 for an id over 255 characters', async () => {
    const body = webhookBody(await newPayment(user), 'PENDING', { webhookId: undefined })
    expect((await fromProvider(payments, body, { id: 'x'.repeat(256) })).status).toBe(400)
  })

  it('returns 400 for an invalid body', async () => {
    const before = await rows()
    const body = webhookBody(await newPayment(user), 'DONE')
    const answer = await fromProvider(payments, body)
    expect(answer.status).toBe(400)
    expect((await rows())[0]).toMatchObject({
      webhooks: (before[0] as { webhooks: number }).webhooks,
    })
  })
})

describe('an invalid signature returns 401:', () => {
  const WRONG = `whsec_${Buffer.alloc(32, 'wrong').toString('base64')}`

  async function expectRejected(text: string, headers: Record<string, string>, reference: string) {
    const { status, body } = await send(text, headers)
    expect(status).toBe(401)
    expect(body.type).toBe('/problems/webhook-signature')
    expect((await user.get(reference)).body.version).toBe(1)
  }

  it.each<[string, (given: ReturnType<typeof signed>) => { text?: string; headers?: object }]>([
    ['by an unknown secret', ({ text }) => signed(JSON.parse(text) as object, { secret: WRONG })],
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
    const valid = signed(webhookBody(reference, 'PENDING'))
    const { text = valid.text, headers = {} } = change(valid)
    await expectRejected(text, { ...valid.headers, ...headers }, reference)
  })

  it.each([-301, 301])('made %i seconds from now', async (seconds) => {
    const reference = await newPayment(user)
    const at = new Date(Date.now() + seconds * 1000)
    const { text, headers } = signed(webhookBody(reference, 'PENDING'), { at })
    await expectRejected(text, headers, reference)
  })

  it('even with a valid token', async () => {
    const reference = await newPayment(user)
    const { text, headers } = signed(webhookBody(reference, 'PENDING'), { secret: WRONG })
    await expectRejected(text, { ...headers, authorization: `Bearer ${owner.token}` }, reference)
  })
})

describe('an unsigned webhook', () => {
  it('returns 401 without a token', async () => {
    const { status, body, headers } = await send(
      JSON.stringify(webhookBody(`PAY-${v7()}`, 'PENDING')),
      {},
    )
    expect(status).toBe(401)
    expect(body.type).toBe('/problems/unauthenticated')
    expect(headers.get('www-authenticate')).toBe('Bearer')
  })

  it('returns 403 without payments:settle', async () => {
    const live = await grant(await newUser(inject('liveAuthUrl')), 'payments:write', 'live')
    const replica = await payments.replica({ AUTH_SERVICE_URL: inject('liveAuthUrl') })
    const { reference } = (await as(live, replica).create()).body
    const answer = await as(live, replica).webhook(webhookBody(reference as string, 'PENDING'))
    expect(answer.status).toBe(403)
    expect(answer.body.type).toBe('/problems/insufficient-scope')
    await replica.close()
  })
})

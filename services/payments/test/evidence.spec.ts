import { createHmac, hash, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { SECRETS } from './payments.js'
import { as, fromProvider, newPayment, signed, webhookBody } from './requests.js'
import { withPayments } from './with-payments.js'
import { newUser } from './auth.js'

/** What is stored of a webhook: the bytes as received, and what verifies their signature again. */

const { payments, owner, user } = await withPayments()

interface Message {
  readonly source: string
  readonly payment: string | null
  readonly verdict: string
  readonly keyId: string | null
  readonly headers: Record<string, string>
  readonly body: Buffer
  readonly hash: Buffer
  readonly reading: object
  readonly outcome: string
  readonly times: number
  readonly occurredAt: Date
  readonly receivedAt: Date
  readonly lastAt: Date
}

/** The messages with this webhook id, in the order in which they were stored. */
const stored = (webhookId: string) =>
  payments.sql<Message>(
    `SELECT source, 'PAY-' || payment_id AS payment, verdict, key_id AS "keyId", headers, body,
            body_hash AS hash, reading, outcome, times, occurred_at AS "occurredAt",
            received_at AS "receivedAt", last_at AS "lastAt"
       FROM provider_messages WHERE webhook_id = $1 ORDER BY id`,
    webhookId,
  )

const PATH = '/api/payments/webhook/provider'
const keyId = (secret: string) =>
  hash('sha256', Buffer.from(secret.slice(6), 'base64'), 'hex').slice(0, 16)

/** Signs these bytes as a provider, and sends them. */
async function sendSigned(webhookId: string, text: string, more: Record<string, string> = {}) {
  const seconds = String(Math.floor(Date.now() / 1000))
  const key = Buffer.from(SECRETS.new.slice(6), 'base64')
  const signature = createHmac('sha256', key).update(`${webhookId}.${seconds}.${text}`)
  const headers = {
    'webhook-id': webhookId,
    'webhook-timestamp': seconds,
    'webhook-signature': `v1,${signature.digest('base64')}`,
  }
  const answer = await payments.client.send('POST', PATH, {
    body: text,
    headers: { ...headers, ...more },
  })
  return { answer, headers }
}

/** The text of a webhook, with other fields in the JSON of `added`. */
const textWith = (added: string, body: object) => JSON.stringify(body).replace('{', `{ ${added},\t`)

describe('of a signed webhook', () => {
  it('the bytes, the three headers and the key that verified them are stored', async () => {
    const reference = await newPayment(user, 'PENDING')
    const body = webhookBody(reference, 'SUCCESS', { timestamp: '2026-01-31t15:00:00.25+03:00' })
    const text = `\n${textWith('"id":12345678901234567890,"big":1e400,"x":1.00', body)}\n`
    const { answer, headers } = await sendSigned(body.webhookId, text, { 'webhook-more': 'x' })
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCESS', version: 3 } })
    const [message, ...others] = await stored(body.webhookId)
    expect(others).toEqual([])
    expect(message).toEqual({
      source: 'provider:manual',
      payment: reference,
      verdict: 'signed',
      keyId: keyId(SECRETS.new),
      headers,
      body: Buffer.from(text),
      hash: hash('sha256', text, 'buffer'),
      reading: { reference, status: 'SUCCESS', providerTransactionId: 'MP240101.1200.A1' },
      outcome: 'applied',
      times: 1,
      occurredAt: new Date('2026-01-31T12:00:00.250Z'),
      receivedAt: expect.any(Date),
      lastAt: message?.receivedAt,
    })
    expect(Math.abs(Number(message?.receivedAt) - Date.now())).toBeLessThan(10_000)
  })

  it.each(['old', 'new'] as const)(
    'the key is the one that made the signature: %s',
    async (name) => {
      const body = webhookBody(await newPayment(user), 'PENDING')
      expect((await fromProvider(payments, body, { secret: SECRETS[name] })).status).toBe(200)
      expect(await stored(body.webhookId)).toMatchObject([{ keyId: keyId(SECRETS[name]) }])
    },
  )

  it.each([
    ['a NUL character', '"a":"x\\u0000","\\u0000":{"deep":["\\u0000"]}'],
    ['a lone surrogate', '"a":"\\ud800"'],
    ['the same field twice', '"a":1,"a":2'],
    ['the characters of another script', '"ألف":"٥٠٠ 😀"'],
    ['numbers that a double changes', '"a":[1e400,-0,0.10,9007199254740993]'],
  ])('a field with %s is stored as received', async (_, added) => {
    const body = webhookBody(await newPayment(user), 'PENDING')
    const text = textWith(added, body)
    expect((await sendSigned(body.webhookId, text)).answer.status).toBe(200)
    expect((await stored(body.webhookId))[0]?.body.toString()).toBe(text)
  })

  it('100,000 bytes are stored', async () => {
    const body = webhookBody(await newPayment(user), 'PENDING')
    const padding = 100_000 - Buffer.byteLength(textWith('"a":""', body))
    const text = textWith(`"a":"${'x'.repeat(padding)}"`, body)
    expect((await sendSigned(body.webhookId, text)).answer.status).toBe(200)
    expect((await stored(body.webhookId))[0]?.body).toHaveLength(100_000)
  })

  it('a superseded one is stored too, and a duplicate only once', async () => {
    const reference = await newPayment(user, 'PENDING', 'FAILED')
    const body = webhookBody(reference, 'SUCCESS')
    const first = signed(body, { at: new Date(Date.now() - 60_000) })
    await payments.client.send('POST', PATH, { body: first.text, headers: first.headers })
    expect((await fromProvider(payments, body, { secret: SECRETS.old })).status).toBe(200)
    expect(await stored(body.webhookId)).toMatchObject([
      { outcome: 'superseded', headers: first.headers, keyId: keyId(SECRETS.new), times: 1 },
    ])
  })

  it.each([
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2026-11-29t10:00:00z', '2026-11-29T10:00:00.000Z'],
  ])('the timestamp %s is stored as %s', async (timestamp, time) => {
    const body = webhookBody(await newPayment(user), 'PENDING', { timestamp })
    expect((await fromProvider(payments, body)).status).toBe(200)
    expect((await stored(body.webhookId))[0]?.occurredAt.toISOString()).toBe(time)
  })
})

it('of a webhook with a token, the bytes are stored without headers or key', async () => {
  const body = webhookBody(await newPayment(user), 'PENDING')
  const text = textWith('"a":"\\u0000"', body)
  expect((await user.webhook(text, { 'webhook-timestamp': '1' })).status).toBe(200)
  expect(await stored(body.webhookId)).toMatchObject([
    {
      source: `user:${owner.id}`,
      verdict: 'token',
      keyId: null,
      headers: {},
      body: Buffer.from(text),
    },
  ])
})

describe('of a webhook that reuses an id', () => {
  it('each content is stored once with its signature, and repetitions are counted', async () => {
    const first = webhookBody(await newPayment(user), 'PENDING')
    await fromProvider(payments, first)
    const other = { ...first, reference: await newPayment(user) }
    const begin = Date.now()
    const sent = [signed(other, { at: new Date(begin - 60_000) }), signed(other), signed(other)]
    for (const { text, headers } of sent) {
      const answer = await payments.client.send('POST', PATH, { body: text, headers })
      expect(answer.status).toBe(422)
    }
    const failed = signed({ ...first, status: 'FAILED' } as object, { id: first.webhookId })
    await payments.client.send('POST', PATH, { body: failed.text, headers: failed.headers })
    const [applied, conflict, another, ...more] = await stored(first.webhookId)
    expect(more).toEqual([])
    expect(applied).toMatchObject({ outcome: 'applied', times: 1 })
    expect(conflict).toMatchObject({
      outcome: 'conflict',
      payment: null,
      verdict: 'signed',
      keyId: keyId(SECRETS.new),
      headers: sent[0]?.headers,
      body: Buffer.from(sent[0]?.text ?? ''),
      reading: { reference: other.reference, status: 'PENDING' },
      times: 3,
    })
    expect(Number(conflict?.lastAt)).toBeGreaterThanOrEqual(Number(conflict?.receivedAt))
    expect(another).toMatchObject({ times: 1, reading: { status: 'FAILED' } })
  })

  it('concurrent copies are stored once and counted', async () => {
    const first = webhookBody(await newPayment(user), 'PENDING')
    await user.webhook(first)
    const other = { ...first, reference: `PAY-${randomUUID()}` }
    const answers = await Promise.all(Array.from({ length: 20 }, () => user.webhook(other)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([422]))
    expect(await stored(first.webhookId)).toMatchObject([
      { outcome: 'applied' },
      { outcome: 'conflict', times: 20 },
    ])
  })
})

it('nothing is stored of a webhook that is rejected with 400, 401 or 404', async () => {
  const count = async () => (await payments.sql('SELECT FROM provider_messages')).length
  const before = await count()
  const stranger = as(await newUser(), payments)
  const mine = await newPayment(user)
  const wrong = `whsec_${Buffer.alloc(32, 'wrong').toString('base64')}`
  const answers = [
    await fromProvider(payments, webhookBody(mine, 'SUCCESS')),
    await fromProvider(payments, webhookBody(mine, 'PENDING', { timestamp: '2026-W48-7' })),
    await fromProvider(payments, webhookBody(mine, 'PENDING'), { secret: wrong }),
    await fromProvider(payments, webhookBody(`PAY-${randomUUID()}`, 'PENDING')),
    await stranger.webhook(webhookBody(mine, 'PENDING')),
  ]
  expect(answers.map(({ status }) => status)).toEqual([400, 400, 401, 404, 404])
  expect(await count()).toBe(before)
})

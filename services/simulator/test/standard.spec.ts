import { randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { type Simulator, STANDARD, startMerchant, startSimulator } from './simulator.js'
import { until } from '@malipo/testing/until'

const HEADERS = { authorization: `Bearer ${STANDARD.apiKey}` }
const newReference = () => `PAY-${randomUUID()}`

const charge = (change: object = {}) => ({
  reference: newReference(),
  amount: '5000',
  currency: 'UGX',
  phone: '+256772123456',
  description: 'Payment PAY-1',
  ...change,
})
const pay = (simulator: Simulator, body: object, headers: object = HEADERS) =>
  simulator.request({ method: 'POST', url: '/charges', headers: { ...headers }, payload: body })
const query = (simulator: Simulator, reference: string) =>
  simulator.request({ url: `/charges/${reference}`, headers: HEADERS })

describe('POST /charges', () => {
  it('answers the charge, and is paid', async () => {
    const simulator = await startSimulator({ env: { TIME_SCALE: '0.1' } })
    const body = charge()
    const expected = { ...body, status: 'PENDING' }
    expect(await pay(simulator, body)).toMatchObject({ status: 202, body: expected })
    await until(async () => {
      const found = (await query(simulator, body.reference)).body
      return (found as { status: string }).status === 'SUCCESS'
    })
    expect(await query(simulator, body.reference)).toMatchObject({
      status: 200,
      body: { ...body, status: 'SUCCESS', providerTransactionId: expect.stringMatching(/^ST\d+$/) },
    })
  })

  it.each([
    ['another currency', { currency: 'KES' }, 422, 'invalid_currency'],
    ['a fraction', { amount: '5000.00' }, 422, 'invalid_amount'],
    ['a number as the amount', { amount: 5_000 }, 422, 'invalid_amount'],
    ['a national number', { phone: '0772123456' }, 422, 'invalid_phone'],
    ['no reference', { reference: undefined }, 400, 'invalid_request'],
    ['an apostrophe', { description: "Anna's" }, 400, 'invalid_request'],
    ['another callback host', { callbackUrl: 'http://other.example/' }, 400, 'invalid_request'],
  ])('refuses %s', async (_title, change, status, code) => {
    const simulator = await startSimulator()
    expect(await pay(simulator, charge(change))).toMatchObject({ status, body: { code } })
  })

  it('refuses a reference a second time', async () => {
    const simulator = await startSimulator()
    const body = charge()
    await pay(simulator, body)
    expect(await pay(simulator, body)).toMatchObject({
      status: 409,
      body: { code: 'duplicate_reference' },
    })
  })

  it.each([{}, { authorization: 'Bearer other' }])('refuses the key of %j', async (headers) => {
    const simulator = await startSimulator()
    expect(await pay(simulator, charge(), headers)).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated' },
    })
  })

  it.each([
    ['+256772900010', 500, 'internal_error'],
    ['+256772900020', 422, 'limit_reached'],
    ['+256772900021', 429, 'too_many_requests'],
  ])('answers %s with %i', async (phone, status, code) => {
    const simulator = await startSimulator()
    expect(await pay(simulator, charge({ phone }))).toMatchObject({ status, body: { code } })
  })
})

describe('GET /charges/{reference}', () => {
  it('answers the failure of a declined charge', async () => {
    const simulator = await startSimulator()
    const body = charge({ phone: '+256772900001' })
    await pay(simulator, body)
    const failure = { code: 'payer_rejected', message: 'payer rejected' }
    expect(await query(simulator, body.reference)).toMatchObject({
      body: { status: 'FAILED', failure },
    })
  })

  it('does not find an unknown reference', async () => {
    expect(await query(await startSimulator(), newReference())).toMatchObject({
      status: 404,
      body: { code: 'charge_not_found' },
    })
  })
})

describe('the webhook', () => {
  it.each([
    ['+256772123456', { status: 'SUCCESS' }],
    ['+256772900002', { status: 'FAILED', failure: { code: 'insufficient_funds' } }],
  ])('of %s is signed as Standard Webhooks specifies', async (phone, expected) => {
    const merchant = await startMerchant()
    const simulator = await startSimulator()
    const callbackUrl = `${merchant.url}/api/payments/webhook/provider`
    const { reference } = charge()
    await pay(simulator, charge({ reference, phone, callbackUrl }))
    await until(() => merchant.received.length > 0)
    const { body, headers, path } = merchant.received[0]!
    expect(path).toBe('/api/payments/webhook/provider')
    const webhook = new Webhook(STANDARD.webhookSecret)
    expect(webhook.verify(body, headers as Record<string, string>)).toMatchObject({
      reference,
      ...expected,
      amount: '5000',
      currency: 'UGX',
      providerTransactionId: expect.any(String),
      timestamp: expect.any(String),
    })
    const other = new Webhook(`whsec_${Buffer.alloc(32).toString('base64')}`)
    expect(() => other.verify(body, headers as Record<string, string>)).toThrow('signature')
  })

  it('has the same id when it is sent twice', async () => {
    const merchant = await startMerchant()
    const simulator = await startSimulator()
    await pay(simulator, charge({ phone: '+256772900006', callbackUrl: merchant.url }))
    await until(() => merchant.received.length === 2)
    const [first, second] = merchant.received
    expect(first!.headers['webhook-id']).toMatch(/^msg_[\da-f]{32}$/)
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id'])
    expect(second!.body).toBe(first!.body)
  })
})

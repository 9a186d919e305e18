import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  MTN_SANDBOX,
  MTN_UGANDA,
  mtnHeaders,
  REQUEST_TO_PAY,
  type Simulator,
  startMerchant,
  startSimulator,
} from './simulator.js'
import { until } from '@malipo/testing/until'

type Headers = Readonly<Record<string, string | undefined>>

const UGANDAN = { ...REQUEST_TO_PAY, amount: '5000', currency: 'UGX' }
const withPayer = (partyId: string, body: object = REQUEST_TO_PAY) => ({
  ...body,
  payer: { partyIdType: 'MSISDN', partyId },
})

/** Asks for money, by default with a new reference. */
function pay(simulator: Simulator, headers: Headers, body: object | string = REQUEST_TO_PAY) {
  return simulator.request({
    method: 'POST',
    url: '/collection/v1_0/requesttopay',
    headers: { 'content-type': 'application/json', 'x-reference-id': randomUUID(), ...headers },
    payload: body,
  })
}
const query = (simulator: Simulator, headers: Headers, reference: string) =>
  simulator.request({ url: `/collection/v1_0/requesttopay/${reference}`, headers })

describe('a request to pay', () => {
  it('is paid, and has the fields of the request', async () => {
    const simulator = await startSimulator()
    const headers = { ...(await mtnHeaders(simulator)), 'x-reference-id': randomUUID() }
    expect(await pay(simulator, headers)).toMatchObject({ status: 202, text: '' })
    const { body } = await query(simulator, headers, headers['x-reference-id'])
    expect(body).toEqual({
      ...REQUEST_TO_PAY,
      financialTransactionId: expect.stringMatching(/^\d{15}$/),
      status: 'SUCCESSFUL',
    })
  })

  it.each<[string, Headers, number, object | undefined]>([
    ['no token', { authorization: undefined }, 401, { statusCode: 401 }],
    ['a damaged token', { authorization: 'Bearer eyJhbGciOiJIUzI1NiJ9.e30.x' }, 401, undefined],
    ['no subscription key', { 'ocp-apim-subscription-key': undefined }, 401, undefined],
    ['another subscription key', { 'ocp-apim-subscription-key': 'x' }, 401, undefined],
    ['no target environment', { 'x-target-environment': undefined }, 400, undefined],
    [
      'another target environment',
      { 'x-target-environment': 'mtnghana' },
      500,
      { code: 'NOT_ALLOWED_TARGET_ENVIRONMENT' },
    ],
    ['no reference', { 'x-reference-id': undefined }, 400, { code: 'BAD REQUEST' }],
    [
      'a reference of version 7',
      { 'x-reference-id': '019aa0a0-0000-7000-8000-000000000000' },
      400,
      { code: 'BAD REQUEST' },
    ],
    ['an empty callback URL', { 'x-callback-url': '' }, 400, { code: 'BAD REQUEST' }],
    ...[
      'https://other.example/',
      'http://127.0.0.1/',
      'https://[::1]/',
      'ftp://localhost/',
      'x',
    ].map(
      (url) =>
        [
          `the callback URL ${url}`,
          { 'x-callback-url': url },
          500,
          { code: 'INVALID_CALLBACK_URL_HOST' },
        ] as [string, Headers, number, object],
    ),
  ])('is refused with %s', async (_title, headers, status, body) => {
    const simulator = await startSimulator()
    const given = { ...(await mtnHeaders(simulator)), ...headers }
    expect(await pay(simulator, given)).toMatchObject({ status, ...(body && { body }) })
    expect(await simulator.request({ url: '/admin/counts' })).toMatchObject({
      body: { charges: 0 },
    })
  })

  it.each<[string, object | string, number, string]>([
    ['a body that is not JSON', '{', 400, 'BAD REQUEST'],
    ['another currency', { currency: 'UGX' }, 500, 'INVALID_CURRENCY'],
    ['a number as the amount', { amount: 50 }, 400, 'BAD REQUEST'],
    ['no amount', { amount: undefined }, 400, 'BAD REQUEST'],
    ['an amount of zero', { amount: '0.00' }, 400, 'BAD REQUEST'],
    ['a negative amount', { amount: '-5' }, 400, 'BAD REQUEST'],
    ['more digits than the currency has', { amount: '5.001' }, 400, 'BAD REQUEST'],
    ['a number with a plus', withPayer('+256772123456'), 400, 'BAD REQUEST'],
    ['a national number', withPayer('0772123456'), 400, 'BAD REQUEST'],
    ['an email', { payer: { partyIdType: 'EMAIL', partyId: 'a@b.c' } }, 400, 'BAD REQUEST'],
    ['an apostrophe', { payerMessage: "Anna's order" }, 400, 'BAD REQUEST'],
    ['an ampersand', { payeeNote: 'A & B' }, 400, 'BAD REQUEST'],
    ['161 characters', { payeeNote: 'x'.repeat(161) }, 400, 'BAD REQUEST'],
    ['an empty note', { payeeNote: '' }, 500, 'INTERNAL_PROCESSING_ERROR'],
    ['no message', { payerMessage: undefined }, 500, 'INTERNAL_PROCESSING_ERROR'],
  ])('is refused with %s', async (_title, change, status, code) => {
    const simulator = await startSimulator()
    const body = typeof change === 'string' ? change : { ...REQUEST_TO_PAY, ...change }
    const refused = await pay(simulator, await mtnHeaders(simulator), body)
    expect(refused).toMatchObject({ status, body: { code } })
  })

  it('is refused with a fraction of a shilling', async () => {
    const simulator = await startSimulator()
    const headers = await mtnHeaders(simulator, MTN_UGANDA)
    const pays = (amount: string) => pay(simulator, headers, { ...UGANDAN, amount })
    expect(await pays('5000.0')).toMatchObject({ status: 400 })
    expect(await pays('5000')).toMatchObject({ status: 202 })
  })

  it('accepts a reference once, in any letter case', async () => {
    const simulator = await startSimulator()
    const reference = randomUUID()
    const headers = { ...(await mtnHeaders(simulator)), 'x-reference-id': reference }
    await pay(simulator, headers)
    const upper = { ...headers, 'x-reference-id': reference.toUpperCase() }
    expect(await pay(simulator, upper)).toMatchObject({
      status: 409,
      body: { code: 'RESOURCE_ALREADY_EXIST' },
    })
    const { body } = await simulator.request({ url: `/admin/charges/mtn-momo/${reference}` })
    expect((body as { repeatsAt: string[] }).repeatsAt).toHaveLength(1)
  })

  it('is not found by another user, and not before it exists', async () => {
    const simulator = await startSimulator()
    const reference = randomUUID()
    await pay(simulator, { ...(await mtnHeaders(simulator)), 'x-reference-id': reference })
    const other = await mtnHeaders(simulator, MTN_UGANDA)
    const notFound = { status: 404, body: { code: 'RESOURCE_NOT_FOUND' } }
    expect(await query(simulator, other, reference)).toMatchObject(notFound)
    expect(await query(simulator, other, randomUUID())).toMatchObject(notFound)
    expect(await query(simulator, other, 'x')).toMatchObject({ status: 400 })
  })
})

describe("MTN's test numbers", () => {
  const FAILED = [
    ['0', 'INTERNAL_PROCESSING_ERROR'],
    ['1', 'APPROVAL_REJECTED'],
    ['2', 'EXPIRED'],
    ['5', 'PAYER_NOT_FOUND'],
    ['6', 'PAYEE_NOT_ALLOWED_TO_RECEIVE'],
    ['7', 'NOT_ALLOWED'],
    ['8', 'NOT_ALLOWED_TARGET_ENVIRONMENT'],
    ['9', 'INVALID_CALLBACK_URL_HOST'],
    ['10', 'INVALID_CURRENCY'],
    ['11', 'INTERNAL_PROCESSING_ERROR'],
    ['12', 'SERVICE_UNAVAILABLE'],
    ['13', 'COULD_NOT_PERFORM_TRANSACTION'],
    ['14', 'TRANSFER_TYPE_UNKNOWN'],
  ] as const
  const numberOf = (offset: string) => String(46_733_123_450 + Number(offset))
  /** The status of a charge with this number. */
  async function statusOf(offset: string, env: Record<string, string> = {}) {
    const simulator = await startSimulator({ env })
    const headers = { ...(await mtnHeaders(simulator)), 'x-reference-id': randomUUID() }
    expect(await pay(simulator, headers, withPayer(numberOf(offset)))).toMatchObject({
      status: 202,
    })
    return (await query(simulator, headers, headers['x-reference-id'])).body
  }

  it.each(FAILED)('4673312345%s fails with the reason %s', async (offset, reason) => {
    expect(await statusOf(offset)).toMatchObject({ status: 'FAILED', reason })
  })

  it('46733123453 stays pending, 46733123454 is pending for a minute', async () => {
    expect(await statusOf('3')).toMatchObject({ status: 'PENDING' })
    expect(await statusOf('4', { TIME_SCALE: '1' })).toMatchObject({ status: 'PENDING' })
    expect(await statusOf('4')).toMatchObject({ status: 'SUCCESSFUL' })
  })

  it('mean nothing outside of the sandbox', async () => {
    const simulator = await startSimulator()
    const reference = randomUUID()
    const headers = { ...(await mtnHeaders(simulator, MTN_UGANDA)), 'x-reference-id': reference }
    await pay(simulator, headers, withPayer('46733123450', UGANDAN))
    expect(await query(simulator, headers, reference)).toMatchObject({
      body: { status: 'SUCCESSFUL' },
    })
  })

  it.each([
    ['46733123450', 404, { code: 'RESOURCE_NOT_FOUND' }],
    ['46733123451', 200, { result: false }],
    ['46733123452', 500, { code: 'NOT_ALLOWED' }],
    ['46733123453', 500, { code: 'NOT_ALLOWED_TARGET_ENVIRONMENT' }],
    ['46733123454', 500, { code: 'INTERNAL_PROCESSING_ERROR' }],
    ['46733123455', 503, { code: 'SERVICE_UNAVAILABLE' }],
    ['256772123456', 200, { result: true }],
  ])('answer the query whether the account %s is active', async (number, status, body) => {
    const simulator = await startSimulator()
    const headers = await mtnHeaders(simulator)
    for (const type of ['msisdn', 'MSISDN']) {
      const url = `/collection/v1_0/accountholder/${type}/${number}/active`
      expect(await simulator.request({ url, headers })).toMatchObject({ status, body })
    }
  })
})

describe('an account', () => {
  it('has the payments of its charges as its balance', async () => {
    const simulator = await startSimulator()
    const headers = await mtnHeaders(simulator)
    for (const amount of ['50', '0.5']) await pay(simulator, headers, { ...REQUEST_TO_PAY, amount })
    await pay(simulator, headers, withPayer('46733123451'))
    const balance = (path = '') =>
      simulator.request({ url: `/collection/v1_0/account/balance${path}`, headers })
    const expected = { availableBalance: '50.50', currency: 'EUR' }
    expect(await balance()).toMatchObject({ status: 200, body: expected })
    expect(await balance('/EUR')).toMatchObject({ status: 200, body: expected })
    expect(await balance('/UGX')).toMatchObject({ body: { code: 'INVALID_CURRENCY' } })
  })

  it('has the names of a payer', async () => {
    const simulator = await startSimulator()
    const url = '/collection/v1_0/accountholder/msisdn/256772123456/basicuserinfo'
    const headers = await mtnHeaders(simulator)
    expect(await simulator.request({ url, headers })).toMatchObject({
      status: 200,
      body: { given_name: 'Payer', family_name: 'Number 56' },
    })
  })

  it('may query 10 times in any second', async () => {
    const simulator = await startSimulator()
    const headers = await mtnHeaders(simulator)
    const statuses = []
    for (let nth = 0; nth < 12; nth++) {
      statuses.push((await query(simulator, headers, randomUUID())).status)
    }
    expect(statuses).toEqual([...Array(10).fill(404), 429, 429])
    const { body } = await simulator.request({ url: '/admin/requests' })
    expect(body).toMatchObject({
      'mtn-momo status': { total: 12, peakPerSecond: 12, statuses: { 404: 10, 429: 2 } },
    })
  })
})

describe('a callback', () => {
  async function callbackOf(account: typeof MTN_SANDBOX, body: object) {
    const merchant = await startMerchant()
    const simulator = await startSimulator()
    const callback = { 'x-callback-url': `${merchant.url}/callback` }
    await pay(simulator, { ...(await mtnHeaders(simulator, account)), ...callback }, body)
    await until(() => merchant.received.length > 0)
    return merchant.received[0]!
  }

  it('is a POST without the reference, as the account is configured by default', async () => {
    const { method, path, body } = await callbackOf(MTN_SANDBOX, withPayer('46733123451'))
    expect([method, path]).toEqual(['POST', '/callback'])
    expect(JSON.parse(body)).toEqual({
      ...withPayer('46733123451'),
      status: 'FAILED',
      reason: 'APPROVAL_REJECTED',
    })
  })

  it('is a PUT if the account is configured so, with the reason as an object', async () => {
    const { method, body } = await callbackOf(MTN_UGANDA, withPayer('256772900002', UGANDAN))
    expect(method).toBe('PUT')
    expect(JSON.parse(body)).toMatchObject({
      status: 'FAILED',
      reason: { code: 'NOT_ENOUGH_FUNDS', message: expect.any(String) },
    })
  })
})

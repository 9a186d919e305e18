import {
  constants,
  createCipheriv,
  createHmac,
  createPublicKey,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  AIRTEL,
  airtelHeaders,
  type Simulator,
  startMerchant,
  startSimulator,
} from './simulator.js'
import { until } from '@malipo/testing/until'

type Headers = Readonly<Record<string, string | undefined>>

const newId = () => randomBytes(16).toString('hex')

function payment(change: { id?: unknown; amount?: unknown; msisdn?: unknown } = {}) {
  const { id = newId(), amount = 5_000, msisdn = '752123456' } = change
  return {
    reference: 'Order 42',
    subscriber: { country: 'UG', currency: 'UGX', msisdn },
    transaction: { amount, country: 'UG', currency: 'UGX', id },
  }
}
const pay = (simulator: Simulator, headers: Headers, body: object | string, version = 1) =>
  simulator.request({
    method: 'POST',
    url: `/merchant/v${version}/payments/`,
    headers: { 'content-type': 'application/json', ...headers },
    payload: body,
  })
const query = (simulator: Simulator, headers: Headers, id: string) =>
  simulator.request({ url: `/standard/v1/payments/${id}`, headers })
const codes = (response_code: string, result_code = 'ESB000010', success = true) => ({
  status: { response_code, result_code, success },
})

/** Signs a body with the key that the simulator issues. */
async function signed(simulator: Simulator, headers: Headers, body: string) {
  const issued = await simulator.request({ url: '/v1/rsa/encryption-keys', headers })
  const { data } = issued.body as { data: { key: string } }
  const key = createPublicKey({ key: Buffer.from(data.key, 'base64'), format: 'der', type: 'spki' })
  const [aesKey, iv] = [randomBytes(32), randomBytes(16)]
  const cipher = createCipheriv('aes-256-cbc', aesKey, iv)
  const secret = Buffer.from(`${aesKey.toString('base64')}:${iv.toString('base64')}`)
  return {
    ...headers,
    'x-signature': Buffer.concat([cipher.update(body), cipher.final()]).toString('base64'),
    'x-key': publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, secret).toString(
      'base64',
    ),
  }
}

describe('a token', () => {
  const token = (simulator: Simulator, change: object) =>
    simulator.request({
      method: 'POST',
      url: '/auth/oauth2/token',
      payload: {
        client_id: AIRTEL.clientId,
        client_secret: AIRTEL.clientSecret,
        grant_type: 'client_credentials',
        ...change,
      },
    })

  it('lives for three minutes, which the response states as a string', async () => {
    expect(await token(await startSimulator(), {})).toMatchObject({
      status: 200,
      body: { access_token: expect.any(String), expires_in: '180', token_type: 'bearer' },
    })
  })

  it.each([
    [{ client_secret: 'x' }, 'invalid_client'],
    [{ client_id: 'x' }, 'invalid_client'],
    [{ grant_type: 'password' }, 'unsupported_grant_type'],
  ])('is refused for %j', async (change, error) => {
    expect(await token(await startSimulator(), change)).toMatchObject({
      status: 400,
      body: { error, error_description: expect.any(String) },
    })
  })
})

describe('the encryption key', () => {
  it('is the same after a restart', async () => {
    const first = await startSimulator()
    const key = async (simulator: Simulator) => {
      const headers = await airtelHeaders(simulator)
      const { body } = await simulator.request({ url: '/v1/rsa/encryption-keys', headers })
      expect(body).toMatchObject({ data: { key_id: 100 }, ...codes('DP02010001001') })
      return (body as { data: { key: string } }).data.key
    }
    const before = await key(first)
    await first.close()
    expect(await key(await startSimulator({ folder: first.folder }))).toBe(before)
  })
})

describe('a payment of v2', () => {
  it('is accepted with a signature of its exact bytes', async () => {
    const simulator = await startSimulator()
    const body = JSON.stringify(payment(), undefined, 1)
    const headers = await signed(simulator, await airtelHeaders(simulator), body)
    expect(await pay(simulator, headers, body, 2)).toMatchObject({
      status: 200,
      body: { data: { transaction: { status: 'SUCCESS' } }, ...codes('DP00800001006') },
    })
  })

  it('is refused without a signature, or with that of another body', async () => {
    const simulator = await startSimulator()
    const headers = await airtelHeaders(simulator)
    const other = await signed(simulator, headers, JSON.stringify(payment()))
    for (const given of [headers, other]) {
      expect(await pay(simulator, given, payment(), 2)).toMatchObject({
        status: 403,
        body: { status: { response_code: 'DP00800001026', success: false } },
      })
    }
  })
})

describe('a payment of v1', () => {
  it('is paid without a signature, also with the amount 5000.0', async () => {
    const simulator = await startSimulator()
    const headers = await airtelHeaders(simulator)
    const id = newId()
    const body = JSON.stringify(payment({ id })).replace('5000', '5000.0')
    expect(await pay(simulator, headers, body)).toMatchObject({ status: 200 })
    const { body: status } = await query(simulator, headers, id)
    const message = expect.stringMatching(/^Paid UGX 5,000 to Order 42, Trans ID MP.+\.$/)
    expect(status).toMatchObject({
      data: { transaction: { id, message, status: 'TS', airtel_money_id: expect.any(String) } },
      ...codes('DP00800001001'),
    })
  })

  it.each<[string, Headers, number, object]>([
    ['no token', { authorization: undefined }, 401, { error: 'invalid_token' }],
    ['no country', { 'x-country': undefined }, 400, { status_code: 'ROUTER003' }],
    ['no currency', { 'x-currency': undefined }, 400, { status_code: 'ROUTER003' }],
    ['another country', { 'x-country': 'KE' }, 400, { status_code: 'ROUTER006' }],
    ['another currency', { 'x-currency': 'KES' }, 400, { status_code: 'ROUTER112' }],
  ])('is refused with %s in the headers', async (_title, headers, status, body) => {
    const simulator = await startSimulator()
    const given = { ...(await airtelHeaders(simulator)), ...headers }
    expect(await pay(simulator, given, payment())).toMatchObject({ status, body })
    expect(await query(simulator, given, newId())).toMatchObject({ status, body })
  })

  it.each<[string, object | string, number, string]>([
    ['a body that is not JSON', '{', 400, 'ESB000008'],
    ['no reference', { ...payment(), reference: '' }, 400, 'ESB000008'],
    ['no subscriber', { ...payment(), subscriber: undefined }, 400, 'ESB000008'],
    ['a country code', payment({ msisdn: '256752123456' }), 400, 'ESB000033'],
    ['a leading zero', payment({ msisdn: '0752123456' }), 400, 'ESB000033'],
    ['a string as the amount', payment({ amount: '5000' }), 400, 'ESB000008'],
    ['a fraction of a shilling', payment({ amount: 5_000.5 }), 200, 'ESB000008'],
    ['an amount of zero', payment({ amount: 0 }), 200, 'ESB000008'],
    ['an id with a dot', payment({ id: 'a.b' }), 400, 'ESB000008'],
    ['an id of 65 characters', payment({ id: 'a'.repeat(65) }), 400, 'ESB000008'],
  ])('is refused with %s', async (_title, body, status, result_code) => {
    const simulator = await startSimulator()
    expect(await pay(simulator, await airtelHeaders(simulator), body)).toMatchObject({
      status,
      body: { status: { result_code, success: false } },
    })
  })

  it('is refused a second time, with HTTP 200', async () => {
    const simulator = await startSimulator()
    const headers = await airtelHeaders(simulator)
    const body = payment()
    await pay(simulator, headers, body)
    expect(await pay(simulator, headers, body)).toMatchObject({
      status: 200,
      body: { status: { result_code: 'ESB000041', success: false } },
    })
  })
})

describe('the status of a payment', () => {
  it.each([
    ['752900001', 'TF', 'DP00800001008'],
    ['752900002', 'TF', 'DP00800001007'],
    ['752900003', 'TE', 'DP00800001029'],
    ['752900019', expect.stringMatching(/^TIP?$/), 'DP00800001006'],
    ['752900000', 'TS', 'DP00800001001'],
  ])('of %s is %s', async (msisdn, status, code) => {
    const simulator = await startSimulator()
    const headers = await airtelHeaders(simulator)
    const id = newId()
    await pay(simulator, headers, payment({ id, msisdn }))
    expect(await query(simulator, headers, id)).toMatchObject({
      status: 200,
      body: {
        data: { transaction: { id, status } },
        status: { response_code: code, success: true },
      },
    })
  })

  it('is ambiguous after an error, and in progress by either word otherwise', async () => {
    const simulator = await startSimulator({ env: { TIME_SCALE: '1' } })
    const headers = await airtelHeaders(simulator)
    const wordOf = async (msisdn: string) => {
      const id = newId()
      await pay(simulator, headers, payment({ id, msisdn }))
      const { body } = await query(simulator, headers, id)
      return (body as { data: { transaction: { status: string } } }).data.transaction.status
    }
    expect(await wordOf('752900010')).toBe('TA')
    const words = await Promise.all(Array.from({ length: 20 }, () => wordOf('752123456')))
    expect(new Set(words)).toEqual(new Set(['TIP', 'TI']))
  })

  it('is not found for an unknown id, and invalid for one with a hyphen', async () => {
    const simulator = await startSimulator()
    const headers = await airtelHeaders(simulator)
    expect(await query(simulator, headers, newId())).toMatchObject({
      status: 200,
      body: codes('DP00800001025', 'ESB000045', false),
    })
    await pay(simulator, headers, payment({ id: 'a-b' }))
    expect(await query(simulator, headers, 'a-b')).toMatchObject({
      status: 200,
      body: codes('DP00800001005', 'ESB000008', false),
    })
  })
})

describe('a callback', () => {
  it.each([
    ['752123456', 'TS'],
    ['752900003', 'TF'],
  ])('of %s reports %s with the hash of its transaction', async (msisdn, status_code) => {
    const merchant = await startMerchant()
    const simulator = await startSimulator({ callbackUrl: `${merchant.url}/airtel` })
    const id = newId()
    await pay(simulator, await airtelHeaders(simulator), payment({ id, msisdn }))
    await until(() => merchant.received.length > 0)
    const { body, path, method } = merchant.received[0]!
    expect([method, path]).toEqual(['POST', '/airtel'])
    const [, transaction = '', hash] = /^\{"transaction":(\{.*\}),"hash":"(.*)"\}$/.exec(body) ?? []
    expect(JSON.parse(transaction)).toMatchObject({ id, status_code })
    const mac = createHmac('sha256', AIRTEL.callbackKey).update(transaction).digest('base64')
    expect(hash).toBe(mac)
  })

  it('has no hash if the account has no key', async () => {
    const merchant = await startMerchant()
    const simulator = await startSimulator({
      callbackUrl: merchant.url,
      accounts: (all) => ({
        ...all,
        airtelMoney: all.airtelMoney.map((account) => ({ ...account, callbackKey: undefined })),
      }),
    })
    await pay(simulator, await airtelHeaders(simulator), payment())
    await until(() => merchant.received.length > 0)
    expect(Object.keys(JSON.parse(merchant.received[0]!.body))).toEqual(['transaction'])
  })
})

it('answers the balance and the subscriber of a number', async () => {
  const simulator = await startSimulator()
  const headers = await airtelHeaders(simulator)
  await pay(simulator, headers, payment())
  const get = (url: string) => simulator.request({ url, headers })
  expect(await get('/standard/v1/users/balance')).toMatchObject({
    body: { data: { balance: '5000', currency: 'UGX' } },
  })
  expect(await get('/standard/v1/users/752123456')).toMatchObject({
    body: { data: { msisdn: '752123456', is_barred: false } },
  })
})

import {
  constants,
  createDecipheriv,
  generateKeyPairSync,
  privateDecrypt,
  randomBytes,
} from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { answerOf, jsonOf } from '../../../test/conformance/provider-answers.js'
import { airtelMoney } from './airtel-money.js'

const ID = '07070707070707070707070707070707'

const spki = { type: 'spki', format: 'der' } as const
const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const shortRsa = generateKeyPairSync('rsa', { modulusLength: 512 })
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const encryptionKey = rsa.publicKey.export(spki).toString('base64')

const charge = {
  reference: ID,
  paymentReference: 'PAY-1',
  amount: '1000.50',
  currency: 'ZMW',
  payer: '971234567',
  text: 'Payment PAY-1',
}
const account = {
  name: 'airtel-zm',
  mode: 'live' as const,
  country: 'ZM',
  currency: 'ZMW',
  digits: 2,
}
const contextOf = (given: unknown, random = randomBytes(64)) => {
  const parsed = airtelMoney.parseSettings(given, account)
  if (!('value' in parsed)) throw new Error('invalid settings')
  return {
    account: { ...account, settings: parsed.value },
    credentials: { clientId: 'client-1', clientSecret: 'secret-1' },
    grants: { token: 'Zm9v', encryptionKey },
    now: new Date(0),
    random,
  }
}

describe('message signing', () => {
  it('encrypts exactly the body, with a key and IV that only Airtel can read', () => {
    const request = airtelMoney.initiate?.request(charge, contextOf(undefined))
    expect(request?.path).toBe('/merchant/v2/payments/')
    const { 'x-key': key = '', 'x-signature': signature = '' } = request?.headers ?? {}
    const pair = privateDecrypt(
      { key: rsa.privateKey, padding: constants.RSA_PKCS1_PADDING },
      Buffer.from(key, 'base64'),
    ).toString()
    const [aesKey = '', iv = ''] = pair.split(':')
    const decipher = createDecipheriv(
      'aes-256-cbc',
      Buffer.from(aesKey, 'base64'),
      Buffer.from(iv, 'base64'),
    )
    const body = Buffer.concat([decipher.update(signature, 'base64'), decipher.final()])
    expect(body.equals(Buffer.from(request?.body ?? []))).toBe(true)
    expect(JSON.parse(body.toString())).toEqual({
      reference: 'Payment PAY-1',
      subscriber: { country: 'ZM', currency: 'ZMW', msisdn: '971234567' },
      transaction: { amount: 1000.5, country: 'ZM', currency: 'ZMW', id: ID },
    })
  })

  it('never uses the same key for two requests', () => {
    const signatures = [1, 2].map(
      () => airtelMoney.initiate?.request(charge, contextOf({})).headers['x-signature'],
    )
    expect(new Set(signatures).size).toBe(2)
  })

  it('is left out for v1', () => {
    const request = airtelMoney.initiate?.request(charge, contextOf({ signing: false }))
    expect(request?.path).toBe('/merchant/v1/payments/')
    expect(request?.headers).not.toHaveProperty('x-signature')
    const needs = airtelMoney.initiate?.needs({ signing: false })
    expect(needs).toEqual(['token'])
  })

  const keyAnswer = (key: unknown) => answerOf(200, jsonOf({ data: { key_id: 100, key } }))
  const key = airtelMoney.grants?.encryptionKey

  it('accepts the key that Airtel issues', () => {
    expect(key?.read(keyAnswer(encryptionKey))).toMatchObject({
      kind: 'granted',
      value: encryptionKey,
    })
  })

  it.each([
    ['no key', undefined],
    ['no base64', '***'],
    ['a truncated key', encryptionKey.slice(0, 80)],
    ['an elliptic curve', curve.publicKey.export(spki).toString('base64')],
    ['512 bits, too short for the AES key', shortRsa.publicKey.export(spki).toString('base64')],
  ])('does not accept %s', (_title, given) => {
    expect(key?.read(keyAnswer(given))).toMatchObject({ kind: 'unavailable' })
  })
})

describe('settings and schedule', () => {
  it('rejects a setting of another type', () => {
    const parsed = airtelMoney.parseSettings({ signing: 'yes' }, account)
    expect(parsed).toEqual({ faults: [{ at: 'signing', message: 'must be true or false' }] })
  })

  it('R20: the first query is three minutes after the send', () => {
    expect(airtelMoney.query?.scheduleSeconds[0]).toBe(180)
  })

  it('R14: the token lives three minutes, which Airtel states as a string', () => {
    const body = jsonOf({ access_token: 'abc', expires_in: '180', token_type: 'bearer' })
    const reading = airtelMoney.grants?.token?.read(answerOf(200, body))
    expect(reading).toEqual({ kind: 'granted', value: 'abc', lifetimeSeconds: 180 })
  })
})

import { createHmac, hash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseSecrets, type ProviderSecret, verifySignature, wasSignedBy } from './signature.js'

/** The test vector of Standard Webhooks, from "sign function works" in the libraries of its repository. */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  body: '{"test": 2432232314}',
  headers: {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  },
}
/** The signature of another message, from the same repository. */
const FOREIGN = 'v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc='
const SIGNATURE = VECTOR.headers['webhook-signature']
const SENT_AT = 1_614_265_330_000

const OTHER = `whsec_${Buffer.alloc(32, 'another secret').toString('base64')}`

function secretsOf(text: string): ProviderSecret[] {
  const secrets = parseSecrets(text)
  if (!secrets) throw new Error('not secrets')
  return secrets
}

const mtn = secretsOf(`mtn=${VECTOR.secret}`)

/** Verifies the vector, with changed headers or another body, and returns the signer. */
const signerOf = (changes: Partial<typeof VECTOR.headers> = {}, body = VECTOR.body) =>
  providerOf(mtn, body, { ...VECTOR.headers, ...changes })

const providerOf = (secrets: ProviderSecret[], body: string, headers: Record<string, unknown>) =>
  verifySignature(secrets, Buffer.from(body), headers, Date.now())?.provider

/** Signs as the specification requires, without the library that verifies. */
function sign(secret: string, id: string, timestamp: string, body: string) {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

beforeEach(() => void vi.useFakeTimers({ now: SENT_AT, toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

describe('a signature', () => {
  it('of the published vector is valid', () => {
    expect(signerOf()).toBe('mtn')
  })

  it('equals one computed as the specification says', () => {
    const { 'webhook-id': id, 'webhook-timestamp': at } = VECTOR.headers
    expect(sign(VECTOR.secret, id, at, VECTOR.body)).toBe(SIGNATURE)
  })

  it('is found among several signatures', () => {
    const several = `${FOREIGN} v2,${SIGNATURE.slice(3)} ${SIGNATURE} ${FOREIGN}`
    expect(signerOf({ 'webhook-signature': several })).toBe('mtn')
  })

  it.each([
    ['of another version', `v2,${SIGNATURE.slice(3)}`],
    ['of the asymmetric version', `v1a,${SIGNATURE.slice(3)}`],
    ['without a version', SIGNATURE.slice(3)],
    ['of another message', FOREIGN],
    ['that is empty', ''],
    ['of a version only', 'v1'],
    ['of a version and an empty value', 'v1,'],
    ['that is truncated', SIGNATURE.slice(0, 8)],
    ['separated by commas instead of spaces', `${FOREIGN},${SIGNATURE}`],
  ])('%s is invalid', (_, header) => {
    expect(signerOf({ 'webhook-signature': header })).toBeUndefined()
  })

  it.each([
    ['the body', {}, '{"test": 2432232315}'],
    ['the body’s spaces', {}, '{"test":2432232314}'],
    ['the id', { 'webhook-id': 'msg_other' }, VECTOR.body],
    ['the time', { 'webhook-timestamp': '1614265331' }, VECTOR.body],
  ])('is invalid if %s was changed', (_, headers, body) => {
    expect(signerOf(headers, body)).toBeUndefined()
  })

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const)(
    'is invalid without the header %s',
    (name) => {
      expect(signerOf({ [name]: undefined })).toBeUndefined()
    },
  )

  it.each([
    [-300, 'mtn'],
    [300, 'mtn'],
    [-301, undefined],
    [301, undefined],
  ])('made %i seconds from now has the signer %s', (seconds, expected) => {
    vi.setSystemTime(SENT_AT - seconds * 1000)
    expect(signerOf()).toBe(expected)
  })

  it('is invalid if the timestamp is not a number', () => {
    const at = 'hello'
    const signature = sign(VECTOR.secret, VECTOR.headers['webhook-id'], at, VECTOR.body)
    expect(signerOf({ 'webhook-timestamp': at, 'webhook-signature': signature })).toBeUndefined()
  })

  it.each(['1614265330.0', '01614265330 ', '+1614265330', '1614265330x', '0x6037bb32'])(
    'is invalid if the timestamp is %j, which is no whole number of seconds',
    (at) => {
      const signature = sign(VECTOR.secret, VECTOR.headers['webhook-id'], at, VECTOR.body)
      expect(signerOf({ 'webhook-timestamp': at, 'webhook-signature': signature })).toBeUndefined()
    },
  )

  it('is that of the bytes, not of their characters', () => {
    const { 'webhook-id': id, 'webhook-timestamp': at } = VECTOR.headers
    const headers = {
      ...VECTOR.headers,
      'webhook-signature': sign(VECTOR.secret, id, at, '\ufffd'),
    }
    expect(verifySignature(mtn, Buffer.from('\ufffd'), headers, Date.now())).toBeDefined()
    expect(verifySignature(mtn, Buffer.from([0xff]), headers, Date.now())).toBeUndefined()
  })

  it('is valid with either secret of a rotation, and with its own provider’s secrets only', () => {
    const secrets = secretsOf(
      `airtel=${OTHER},mtn=${sign('', '', '', '').slice(3)},mtn=${VECTOR.secret}`,
    )
    expect(providerOf(secrets, VECTOR.body, VECTOR.headers)).toBe('mtn')
    const { 'webhook-id': id, 'webhook-timestamp': at } = VECTOR.headers
    const byOther = sign(OTHER, id, at, VECTOR.body)
    const headers = { ...VECTOR.headers, 'webhook-signature': byOther }
    expect(providerOf(secrets, VECTOR.body, headers)).toBe('airtel')
    expect(providerOf(mtn, VECTOR.body, headers)).toBeUndefined()
  })

  it('is invalid without configured secrets', () => {
    expect(providerOf([], VECTOR.body, VECTOR.headers)).toBeUndefined()
  })
})

describe('a verified signature', () => {
  it('has the key’s id and the three headers only', () => {
    const headers = { ...VECTOR.headers, authorization: 'Bearer x', 'webhook-ids': 'x' }
    expect(verifySignature(mtn, Buffer.from(VECTOR.body), headers, Date.now())).toEqual({
      provider: 'mtn',
      keyId: hash('sha256', Buffer.from(VECTOR.secret.slice(6), 'base64'), 'hex').slice(0, 16),
      headers: VECTOR.headers,
    })
  })

  it('is verified again at any later time', () => {
    const [secret] = mtn as [ProviderSecret]
    vi.setSystemTime(SENT_AT + 400 * 86_400_000)
    const body = Buffer.from(VECTOR.body)
    expect(wasSignedBy(secret, body, VECTOR.headers)).toBe(true)
    expect(wasSignedBy(secret, Buffer.from(`${VECTOR.body} `), VECTOR.headers)).toBe(false)
    for (const [name, value] of [
      ['webhook-id', 'msg_other'],
      ['webhook-timestamp', '1614265331'],
      ['webhook-timestamp', 'hello'],
      ['webhook-signature', FOREIGN],
      ['webhook-signature', ''],
    ] as const) {
      expect(wasSignedBy(secret, body, { ...VECTOR.headers, [name]: value })).toBe(false)
    }
    const several = { ...VECTOR.headers, 'webhook-signature': `${FOREIGN} ${SIGNATURE}` }
    expect(wasSignedBy(secret, body, several)).toBe(true)
  })
})

describe('parseSecrets', () => {
  it('gives a secret the same id with any prefix and provider', () => {
    const [one, two, three, other] = secretsOf(
      `mtn=${VECTOR.secret},mtn=${VECTOR.secret.slice(6)},airtel=${VECTOR.secret},mtn=${OTHER}`,
    )
    expect(new Set([one?.keyId, two?.keyId, three?.keyId]).size).toBe(1)
    expect(one?.keyId).toMatch(/^[\da-f]{16}$/)
    expect(other?.keyId).not.toBe(one?.keyId)
  })

  const base64 = (bytes: number) => Buffer.alloc(bytes, 7).toString('base64')

  it('separates entries by commas or line breaks, with or without the prefix', () => {
    const text = `mtn=whsec_${base64(24)}, mtn=${base64(64)}\nairtel-ug=${base64(32)}\r\n`
    expect(secretsOf(text).map(({ provider }) => provider)).toEqual(['mtn', 'mtn', 'airtel-ug'])
    expect(secretsOf('')).toEqual([])
  })

  it.each([
    ['23 bytes', `mtn=${base64(23)}`],
    ['65 bytes', `mtn=${base64(65)}`],
    ['no base64', 'mtn=not a secret at all, not even nearly'],
    ['no secret', 'mtn='],
    ['no provider', base64(33)],
    ['a provider in upper case', `MTN=${base64(32)}`],
    ['one valid and one invalid', `mtn=${base64(32)},airtel=short`],
  ])('rejects %s', (_, text) => {
    expect(parseSecrets(text)).toBeUndefined()
  })
})

import { hash } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { type StoredMessage, verifyMessage } from './evidence.js'
import { parseSecrets, type ProviderSecret } from './signature.js'

const SECRET = Buffer.alloc(32, 'secret').toString('base64')
const OTHER = Buffer.alloc(32, 'other').toString('base64')
const [secret, other] = parseSecrets(`mtn=${SECRET},mtn=${OTHER}`) as [
  ProviderSecret,
  ProviderSecret,
]

const PAYMENT_ID = '019aa0a0-0000-7000-8000-000000000000'
const READING = {
  reference: `PAY-${PAYMENT_ID}`,
  status: 'SUCCESS',
  providerTransactionId: 'MP1',
} as const
const BODY = JSON.stringify({ ...READING, timestamp: '2020-01-31T12:00:00Z', more: '\0' })
const SIGNED_AT = new Date('2020-01-31T12:00:01Z')

/** A message that was signed years ago. */
function stored(body = BODY): StoredMessage {
  return {
    id: '019aa0a0-0000-7000-8000-000000000001',
    source: 'provider:mtn',
    webhookId: 'evt-1',
    paymentId: PAYMENT_ID,
    keyId: secret.keyId,
    headers: {
      'webhook-id': 'evt-1',
      'webhook-timestamp': String(SIGNED_AT.getTime() / 1000),
      'webhook-signature': new Webhook(SECRET).sign('evt-1', SIGNED_AT, body),
    },
    body: Buffer.from(body),
    bodyHash: hash('sha256', body),
    reading: READING,
    outcome: 'applied',
    occurredAt: '2020-01-31T12:00:00.000Z',
    receivedAt: SIGNED_AT.toISOString(),
    erasedAt: null,
  }
}

describe('a stored message is', () => {
  it('valid if its key signed the bytes, whenever that was', () => {
    expect(verifyMessage(stored(), [other, secret])).toBe('valid')
  })

  it('unsigned if a user sent it', () => {
    const message = { ...stored(), source: 'user:1', keyId: null, headers: {} }
    expect(verifyMessage(message, [secret])).toBe('unsigned')
  })

  it('erased if its body was, whatever the signature', () => {
    const erased = { ...stored('{"erased":true}'), erasedAt: '2020-03-01T00:00:00.000Z' }
    expect(verifyMessage(erased, [secret])).toBe('erased')
    expect(verifyMessage({ ...erased, keyId: null, headers: {} }, [])).toBe('erased')
  })

  it('valid if its id was reused, so that it belongs to no payment', () => {
    const conflict = { ...stored(), outcome: 'conflict', paymentId: null }
    expect(verifyMessage(conflict, [secret])).toBe('valid')
  })

  it('not verifiable without its key', () => {
    expect(verifyMessage(stored(), [other])).toBe('key_missing')
    expect(verifyMessage(stored(), [])).toBe('key_missing')
  })

  it.each<[string, Partial<StoredMessage>]>([
    ['the body', { body: Buffer.from(`${BODY} `) }],
    ['the body, to bytes that are not UTF-8', { body: Buffer.from([0xff]) }],
    ['the key', { keyId: other.keyId }],
    ['the key, to none', { keyId: null }],
    ['the headers', { headers: {} }],
    ['the signed id', { headers: { ...stored().headers, 'webhook-id': 'evt-2' } }],
    ['the signed time', { headers: { ...stored().headers, 'webhook-timestamp': '1' } }],
  ])('invalid if someone changed %s', (_, changes) => {
    expect(verifyMessage({ ...stored(), ...changes }, [secret, other])).toBe('invalid')
  })

  it.each<[string, Partial<StoredMessage>]>([
    ['the source', { source: 'provider:airtel' }],
    ['the webhook id', { webhookId: 'evt-2' }],
    ['the payment', { paymentId: '019aa0a0-0000-7000-8000-000000000009' }],
    ['the payment, to none', { paymentId: null }],
    ['the hash of the body', { bodyHash: hash('sha256', 'other') }],
    ['the reading, to nothing', { reading: {} as StoredMessage['reading'] }],
    ['the reference', { reading: { ...READING, reference: 'PAY-1' } }],
    ['the status', { reading: { ...READING, status: 'FAILED' } }],
    ['the transaction id', { reading: { ...READING, providerTransactionId: 'MP2' } }],
    ['the time', { occurredAt: '2020-01-31T12:00:02.000Z' }],
    ['the time, to none', { occurredAt: null }],
  ])('contradictory if someone changed %s', (_, changes) => {
    expect(verifyMessage({ ...stored(), ...changes }, [secret])).toBe('contradictory')
  })

  it('contradictory if the signed bytes are not the JSON that was read', () => {
    for (const body of ['[]', 'null', '{', '{}']) {
      expect(verifyMessage(stored(body), [secret])).toBe('contradictory')
    }
  })
})

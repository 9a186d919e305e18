import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AccountFacts, Adapter } from './adapter.js'
import { bucketOf, callbackUrlOf } from './accounts.js'
import { chargeOf, payerText } from './charge.js'
import { isPhoneOf, nationalDigits } from './phone-forms.js'

const REFERENCE = 'PAY-019aa0a0-0000-7000-8000-00000000abcd'

describe('R10: the text for a payer', () => {
  it.each([
    [160, `Payment ${REFERENCE}`],
    [47, REFERENCE],
    [40, REFERENCE],
    [13, '00000000abcd'],
    [12, '00000000abcd'],
    [4, 'abcd'],
  ])('of at most %i characters is %s', (maxLength, text) => {
    expect(payerText(REFERENCE, maxLength)).toBe(text)
  })

  it('is never empty or too long, and has only characters that every provider accepts', () => {
    fc.assert(
      fc.property(fc.uuid({ version: 7 }), fc.integer({ min: 1, max: 200 }), (id, maxLength) => {
        const text = payerText(`PAY-${id}`, maxLength)
        expect(text).toMatch(/^[A-Za-z0-9][A-Za-z0-9 .-]*$/)
        expect(text.length).toBeLessThanOrEqual(maxLength)
      }),
    )
  })
})

describe('R13: a phone number', () => {
  it('loses the calling code only of the given country', () => {
    expect(nationalDigits('+256752604392', 'UG')).toBe('752604392')
    expect(nationalDigits('+242055123456', 'CG')).toBe('055123456')
    expect(nationalDigits('+254712345678', 'UG')).toBeUndefined()
    expect(nationalDigits('+256752604392', 'ZZ')).toBeUndefined()
  })

  it('is of a country by its calling code, with any prefix of an operator', () => {
    expect(isPhoneOf('+254112345678', ['KE'])).toBe(true)
    expect(isPhoneOf('+46733123450', ['UG', 'SE'])).toBe(true)
    expect(isPhoneOf('+256772123456', ['KE', 'ZZ'])).toBe(false)
  })
})

describe('R2: the callback URL', () => {
  const attempt = { id: '4f1c9e', nonce: 'c2VjcmV0' }
  const account = { name: 'mtn-ug', callbackOrigin: 'https://pay.example' }

  it.each([
    ['attempt', 'https://pay.example/api/payments/webhook/mtn-ug/4f1c9e/c2VjcmV0'],
    ['account', 'https://pay.example/api/payments/webhook/mtn-ug'],
    ['webhook', 'https://pay.example/api/payments/webhook/provider'],
    ['none', undefined],
  ] as const)('for each %s is %s', (url, expected) => {
    expect(callbackUrlOf(account, url, attempt)).toBe(expected)
  })

  it('is absent without an origin', () => {
    expect(callbackUrlOf({ name: 'mtn-ug' }, 'attempt', attempt)).toBeUndefined()
  })
})

describe('a rate limit', () => {
  it('holds in any sliding second: burst and refill are at most the limit', () => {
    expect(bucketOf(10)).toEqual({ burst: 2, refillPerSecond: 8 })
    expect(bucketOf(2)).toEqual({ burst: 1, refillPerSecond: 1 })
    expect(bucketOf(10, 5)).toEqual({ burst: 5, refillPerSecond: 5 })
  })
})

it('an erased payment has a charge, by which its provider can be queried', () => {
  const adapter = {
    payerOf: () => undefined,
    capabilities: { textLength: 100 },
  } as unknown as Adapter
  const account = { currency: 'UGX', digits: 0 } as AccountFacts
  const payment = { reference: REFERENCE, amountMinor: 500n, currency: 'UGX' }
  const of = (phone: string) =>
    chargeOf(adapter, account, { ...payment, phone }, { reference: 'its-reference' })
  expect(of('+999123456789012')).toMatchObject({ reference: 'its-reference', amount: '500' })
  expect(of('+256772123456')).toBe('phone')
})

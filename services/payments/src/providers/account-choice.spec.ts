import { describe, expect, it } from 'vitest'
import { MTN_UGANDA } from '../../test/provider-account.js'
import { accountsForPhone, chooseAccount, type NewPayment } from './account-choice.js'
import type { ProviderAccount } from './accounts.js'
import { adapterNamed } from './registry.js'

const MERCHANT = '0197f0a0-0000-7000-8000-000000000001'
const OTHER = '0197f0a0-0000-7000-8000-000000000002'

const mtn = MTN_UGANDA
const airtel: ProviderAccount = {
  ...mtn,
  name: 'airtel-ug',
  adapter: 'airtel-money',
  phonePrefixes: ['+25675', '+25670'],
  limits: { ...mtn.limits, maxMinor: 7_000_000n },
}
const kenya: ProviderAccount = {
  ...mtn,
  name: 'acme-ke',
  adapter: 'standard',
  country: 'KE',
  currency: 'KES',
  phoneCountries: ['KE', 'TZ'],
  phonePrefixes: [],
  limits: { ...mtn.limits, minMinor: 1_000n, maxMinor: 25_000_000n },
  merchants: [MERCHANT],
}

const payment: NewPayment = {
  reference: 'PAY-019aa0a0-0000-7000-8000-000000000000',
  merchant: MERCHANT,
  method: 'MOBILE_MONEY',
  amountMinor: 5_000n,
  currency: 'UGX',
  phone: '+256772123456',
}

const choose = (
  fields: Partial<NewPayment>,
  accounts: readonly ProviderAccount[] = [mtn, airtel, kenya],
  {
    defaultProvider = 'route',
    mode = 'live',
  }: { defaultProvider?: string; mode?: 'live' | 'sandbox' } = {},
) => chooseAccount({ defaultProvider, accounts }, { ...payment, ...fields }, mode, adapterNamed)

const nameOf = (choice: ReturnType<typeof choose>) =>
  choice.kind === 'account' ? choice.account.name : choice.kind
const refusalOf = (choice: ReturnType<typeof choose>) =>
  choice.kind === 'refused' ? choice.refusal : undefined

describe('the account of a payment', () => {
  it('is the default, if the body names none', () => {
    expect(nameOf(choose({}, undefined, { defaultProvider: 'manual' }))).toBe('manual')
    expect(nameOf(choose({}, undefined, { defaultProvider: 'airtel-ug' }))).toBe('airtel-ug')
  })

  it('is the one that the body names, also against its prefixes', () => {
    expect(nameOf(choose({ provider: 'airtel-ug' }))).toBe('airtel-ug')
    expect(nameOf(choose({ provider: 'manual' }))).toBe('manual')
  })

  it('is never one of another merchant, and the answer does not show that it exists', () => {
    const hidden = choose({ provider: 'acme-ke', merchant: OTHER })
    const unknown = choose({ provider: 'acme-zz', merchant: OTHER })
    expect(refusalOf(hidden)).toMatchObject({ reason: 'provider-unavailable', field: 'provider' })
    expect(hidden).toEqual(unknown)
    expect(nameOf(choose({ currency: 'KES', phone: '+254712345678', merchant: OTHER }))).toBe(
      'refused',
    )
  })

  it.each(['draining', 'closed'] as const)('is never one that is %s', (state) => {
    const accounts = [{ ...mtn, state }, airtel]
    expect(refusalOf(choose({ provider: 'mtn-ug' }, accounts))?.field).toBe('provider')
    expect(nameOf(choose({}, accounts))).toBe('airtel-ug')
  })
})

describe('routing', () => {
  it.each([
    ['+256772123456', 'mtn-ug'],
    ['+256752604392', 'airtel-ug'],
  ])('R13: prefers the account with the prefix of %s: %s', (phone, name) => {
    expect(nameOf(choose({ phone }))).toBe(name)
    expect(nameOf(choose({ phone }, [airtel, mtn]))).toBe(name)
  })

  it('R13: takes the first account for a prefix that none has, because prefixes are hints', () => {
    expect(nameOf(choose({ phone: '+256792123456' }))).toBe('mtn-ug')
    expect(nameOf(choose({ phone: '+256792123456' }, [airtel, mtn]))).toBe('airtel-ug')
  })

  it('takes an account whose limits the amount is within', () => {
    expect(nameOf(choose({ amountMinor: 6_000_000n }))).toBe('airtel-ug')
  })

  it('R12: refuses an amount outside of all limits, and states those of the best account', () => {
    expect(refusalOf(choose({ amountMinor: 8_000_000n }))).toEqual({
      reason: 'amount-not-supported',
      field: 'amount',
      message: 'must be from 500 to 5000000 UGX, without decimal places, with mtn-ug',
    })
  })

  it('R12: refuses an amount that the provider can’t carry exactly', () => {
    const whole = [{ ...kenya, digits: 0 }]
    const inKenya = { currency: 'KES', phone: '+254712345678' }
    expect(nameOf(choose({ ...inKenya, amountMinor: 10_000n }, whole))).toBe('acme-ke')
    expect(refusalOf(choose({ ...inKenya, amountMinor: 10_050n }, whole))).toMatchObject({
      reason: 'amount-not-supported',
      message: 'must be from 10.00 to 250000.00 KES, without decimal places, with acme-ke',
    })
  })

  it('R11: refuses a currency that no account has', () => {
    expect(refusalOf(choose({ currency: 'EUR' }))).toEqual({
      reason: 'provider-unavailable',
      field: 'currency',
      message: 'is not offered with this method; offered are: UGX, KES',
    })
    expect(refusalOf(choose({ provider: 'mtn-ug', currency: 'KES' }))?.field).toBe('currency')
  })

  it('R11: refuses the phone number of a country that the account does not serve', () => {
    expect(refusalOf(choose({ currency: 'KES', phone: '+256772123456' }))).toMatchObject({
      field: 'customerPhone',
      message: 'must be a phone number of KE, TZ',
    })
    expect(nameOf(choose({ currency: 'KES', phone: '+255712345678' }))).toBe('acme-ke')
    expect(refusalOf(choose({ provider: 'mtn-ug', phone: '+254712345678' }))?.field).toBe(
      'customerPhone',
    )
  })

  it('is manual in the sandbox for a method that no account offers, and a refusal in live', () => {
    const sandbox = { mode: 'sandbox' as const }
    expect(nameOf(choose({ method: 'CARD' }, undefined, sandbox))).toBe('manual')
    expect(refusalOf(choose({ method: 'CARD' }))).toEqual({
      reason: 'provider-unavailable',
      field: 'paymentMethod',
      message: 'is not offered; offered are: MOBILE_MONEY',
    })
    expect(
      refusalOf(choose({ method: 'CARD', provider: 'mtn-ug' }, undefined, sandbox))?.field,
    ).toBe('paymentMethod')
  })
})

describe('the accounts for a phone number', () => {
  it('are those of its country, by the longest prefix, then in the order of the file', () => {
    const longer = { ...airtel, name: 'airtel-2', phonePrefixes: ['+256772'] }
    const names = accountsForPhone([kenya, airtel, mtn, longer], '+256772123456').map(
      ({ name }) => name,
    )
    expect(names).toEqual(['airtel-2', 'mtn-ug', 'airtel-ug'])
  })
})

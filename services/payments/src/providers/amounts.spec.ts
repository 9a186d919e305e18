import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAmount } from '../money/money.js'
import { amountVerdict, statedMinor, wireAmount } from './amounts.js'

describe('R12: the wire form of an amount', () => {
  it.each([
    [5000n, 'UGX', 0, '5000'],
    [500000n, 'KES', 2, '5000.00'],
    [500000n, 'KES', 0, '5000'],
    [500050n, 'KES', 0, undefined],
    [500050n, 'KES', 1, '5000.5'],
    [5n, 'USD', 2, '0.05'],
    [1n, 'BHD', 3, '0.001'],
    [0n, 'UGX', 0, undefined],
    [-1n, 'UGX', 0, undefined],
    [5000n, 'UGX', 1, undefined],
    [5000n, 'XXX', 0, undefined],
  ])('of %s minor units of %s with %s digits is %s', (minor, currency, digits, text) => {
    expect(wireAmount(minor, currency, digits)).toBe(text)
  })

  it('is read as the same amount, or there is none', () => {
    const currency = fc.constantFrom('UGX', 'KES', 'EUR', 'BHD', 'ZMW')
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 15n), currency, fc.nat(3), (minor, currency, digits) => {
        const text = wireAmount(minor, currency, digits)
        expect(text === undefined ? minor : statedMinor(text, currency)).toBe(minor)
      }),
    )
  })
})

describe('an amount that a provider states', () => {
  it.each([
    ['5000', 'UGX', 5000n],
    ['5000.0', 'UGX', 5000n],
    ['5000.00', 'UGX', 5000n],
    ['5e3', 'UGX', 5000n],
    ['05000', 'UGX', 5000n],
    ['5000.5', 'UGX', undefined],
    ['5000.5', 'KES', 500050n],
    ['0.001', 'KES', undefined],
    ['0', 'KES', 0n],
    ['-5000', 'UGX', undefined],
    ['1e99', 'UGX', undefined],
    ['1e999999999', 'UGX', undefined],
    ['', 'UGX', undefined],
    ['5,000', 'UGX', undefined],
    ['5000', 'XXX', undefined],
  ])('%s %s has %s minor units', (stated, currency, minor) => {
    expect(statedMinor(stated, currency)).toBe(minor)
  })

  it('is the amount of every payment that has it in the wire form of Malipo', () => {
    fc.assert(
      fc.property(
        fc.bigInt(1n, 10n ** 14n),
        fc.constantFrom('UGX', 'KES', 'BHD'),
        (minor, currency) => {
          expect(statedMinor(formatAmount(minor, currency), currency)).toBe(minor)
        },
      ),
    )
  })
})

describe('a success', () => {
  const payment = { amountMinor: 5000n, currency: 'UGX' }
  const verdict = (
    amount: string | undefined,
    currency: string | undefined,
    declared: 'stated' | 'absent',
  ) =>
    amountVerdict({ kind: 'succeeded', amount, currency }, payment, {
      capabilities: { amount: declared } as never,
    })

  it.each([
    ['5000', 'UGX', 'stated', 'equal'],
    ['5000.0', 'UGX', 'absent', 'equal'],
    ['100', 'UGX', 'stated', 'different'],
    ['100', 'UGX', 'absent', 'different'],
    ['100', undefined, 'absent', 'different'],
    ['5000', 'EUR', 'stated', 'different'],
    [undefined, 'EUR', 'absent', 'different'],
    ['5000', undefined, 'absent', 'unverified'],
    [undefined, undefined, 'absent', 'unverified'],
    [undefined, undefined, 'stated', 'different'],
    ['5000', undefined, 'stated', 'different'],
  ] as const)('of %s %s, where amounts are %s, is %s', (amount, currency, declared, expected) => {
    expect(verdict(amount, currency, declared)).toBe(expected)
  })
})

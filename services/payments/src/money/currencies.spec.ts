import { describe, expect, it } from 'vitest'
import { CURRENCIES, digitsOf, isCurrency, isListed, isStoredCurrency } from './currencies.js'

describe('the lists of currencies', () => {
  it('contain every code that the runtime knows', () => {
    const unlisted = Intl.supportedValuesOf('currency').filter((code) => !isListed(code))
    expect(unlisted, 'codes to add to currencies.ts from ISO 4217').toEqual([])
  })

  it('contain only codes of three upper-case letters', () => {
    expect(CURRENCIES.filter((code) => !/^[A-Z]{3}$/.test(code))).toEqual([])
    expect(new Set(CURRENCIES).size).toBe(CURRENCIES.length)
    expect(CURRENCIES.length).toBeGreaterThan(150)
  })
})

it.each([
  ['UGX', 0],
  ['KES', 2],
  ['XCG', 2],
  ['ZWG', 2],
  ['BHD', 3],
])('%s is current, with %i decimal places', (code, digits) => {
  expect([isCurrency(code), isStoredCurrency(code), digitsOf(code)]).toEqual([true, true, digits])
})

it.each([
  ['ANG', 2],
  ['BGN', 2],
  ['BYR', 0],
  ['CUC', 2],
  ['HRK', 2],
  ['SLL', 2],
  ['ZWL', 2],
])('%s is withdrawn, and readable with %i decimal places', (code, digits) => {
  expect([isCurrency(code), isStoredCurrency(code), digitsOf(code)]).toEqual([false, true, digits])
})

it.each([
  ...['BOV', 'CHE', 'CHW', 'CLF', 'COU', 'MXV', 'USN', 'UYI', 'UYW', 'XAD', 'XDR', 'XSU', 'XUA'],
  ...['XAG', 'XAU', 'XPD', 'XPT', 'XBA', 'XBB', 'XBC', 'XBD', 'XTS', 'XXX'],
])('%s is listed, but is no money', (code) => {
  expect([isListed(code), isStoredCurrency(code), digitsOf(code)]).toEqual([true, false, undefined])
})

it.each(['ugx', 'UG', 'UGXX', 'AAA', 'toString', '__proto__', '', ' UGX'])(
  '%j is unknown',
  (code) => {
    expect([isListed(code), isStoredCurrency(code), isCurrency(code)]).toEqual([
      false,
      false,
      false,
    ])
  },
)

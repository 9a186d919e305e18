import { digitsOf } from './currencies.js'

/**
 * Money is a bigint of the currency's minor units (cents for USD, shillings for UGX). On the wire it is a
 * decimal string with exactly as many decimal places as ISO 4217 defines for the currency.
 */

/** Maximum amount, in major units. */
const MAX_AMOUNT = 10n ** 12n

const DECIMAL = /^(0|[1-9]\d*)(?:\.(\d+))?$/

/**
 * Parses an amount from JSON: a number or a decimal string, in major units of `currency`. A number is read in
 * its shortest decimal form, so `0.1` is exactly a tenth.
 *
 * @returns the amount in minor units, or a validation message for an invalid amount
 */
export function parseAmount(input: unknown, currency: string): bigint | string {
  const digits = digitsOf(currency)
  if (digits === undefined) return 'needs an ISO 4217 currency'
  if (typeof input !== 'number' && typeof input !== 'string') return FORM
  const match = DECIMAL.exec(typeof input === 'number' ? decimal(input) : input)
  const [, whole, fraction = ''] = match ?? []
  if (whole === undefined || whole.length > 13) return match ? OVER : FORM
  if (fraction.length > digits)
    return `must have at most ${digits} digits after the point in ${currency}`
  const minor = BigInt(whole + fraction.padEnd(digits, '0'))
  if (minor === 0n) return FORM
  return minor > MAX_AMOUNT * 10n ** BigInt(digits) ? OVER : minor
}

const FORM = 'must be a positive amount, as a number or a decimal string'
const OVER = 'must be at most 1000000000000'

/** Formats a number without an exponent, which JavaScript would use from 10^21 and below 10^-6. */
function decimal(value: number): string {
  if (value >= 1e21) return '9'.repeat(22)
  return value > 0 && value < 1e-6 ? value.toFixed(20) : String(value)
}

/** The wire form of minor units: 5000 minor units are `"5000"` in UGX and `"50.00"` in USD. */
export function formatAmount(minor: bigint, currency: string): string {
  const digits = digitsOf(currency) ?? 0
  if (digits === 0) return minor.toString()
  const text = minor.toString().padStart(digits + 1, '0')
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`
}

import { decimalOf, numberText } from '@malipo/kit/http/json-number'
import { digitsOf } from './currencies.js'

/**
 * Money is a bigint of the currency's minor units (cents for USD, shillings for UGX). On the wire it is a
 * decimal string with exactly as many decimal places as ISO 4217 defines for the currency.
 */

/** Maximum amount, in major units. */
const MAX_AMOUNT = 10n ** 12n

const WHOLE_DIGITS = MAX_AMOUNT.toString().length

const FIXED_POINT = /^(?:0|[1-9]\d*)(?:\.(\d+))?$/

/**
 * Parses an amount from JSON: a number or a decimal string, in major units of `currency`. It is judged on the
 * digits that were sent. A number may have an exponent and zeros at its end, which many JSON libraries write; a
 * string may have neither an exponent nor more decimal places than the currency.
 *
 * @returns the amount in minor units, or a validation message for an invalid amount
 */
export function parseAmount(input: unknown, currency: string): bigint | string {
  const places = digitsOf(currency)
  if (places === undefined) return 'needs an ISO 4217 currency'
  const sent = typeof input === 'string' ? readString(input) : readNumber(input)
  if (!sent || sent.isNegative || sent.digits === '') return FORM
  if (sent.point > WHOLE_DIGITS) return OVER
  if (sent.places > places)
    return `must have at most ${places} digits after the point in ${currency}`
  const minor = BigInt(sent.digits.padEnd(sent.point + places, '0'))
  return minor > MAX_AMOUNT * 10n ** BigInt(places) ? OVER : minor
}

const FORM = 'must be a positive amount, as a number or a decimal string'
const OVER = 'must be at most 1000000000000'

/** The decimal in a string, with the decimal places that the string shows. */
function readString(input: string) {
  const match = FIXED_POINT.exec(input)
  const decimal = match && decimalOf(input)
  return decimal && { ...decimal, places: match[1]?.length ?? 0 }
}

/** The decimal value of a JSON number, with the decimal places that the value needs. */
function readNumber(input: unknown) {
  const decimal = decimalOf(numberText(input) ?? '')
  return decimal && { ...decimal, places: decimal.digits.length - decimal.point }
}

/** The wire form of minor units: 5000 minor units are `"5000"` in UGX and `"50.00"` in USD. */
export function formatAmount(minor: bigint, currency: string): string {
  const digits = digitsOf(currency) ?? 0
  if (digits === 0) return minor.toString()
  const text = minor.toString().padStart(digits + 1, '0')
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`
}

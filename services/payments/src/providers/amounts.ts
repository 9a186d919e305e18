import { decimalOf } from '@malipo/kit/http/json-number'
import { digitsOf } from '../money/currencies.js'
import type { Adapter } from './adapter.js'
import type { Succeeded } from './reading.js'

/** Amounts on a provider's wire. They are never rounded: an amount that is not exact has no wire form. */

/**
 * The decimal of an amount with exactly `digits` decimal places.
 *
 * @param minor in minor units of ISO 4217
 * @returns undefined if the provider can't carry the amount exactly, such as 100.50 KES in whole shillings
 */
export function wireAmount(minor: bigint, currency: string, digits: number): string | undefined {
  const places = digitsOf(currency)
  if (places === undefined || digits > places || minor <= 0n) return undefined
  const unit = 10n ** BigInt(places - digits)
  if (minor % unit !== 0n) return undefined
  const text = (minor / unit).toString().padStart(digits + 1, '0')
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
}

/** Larger numbers are no amounts. */
const MAX_WHOLE_DIGITS = 20

/**
 * The amount that a provider states, in minor units of ISO 4217: `5000`, `5000.0` and `5e3` are the same.
 *
 * @returns undefined for anything that is not an exact amount in the currency
 */
export function statedMinor(stated: string, currency: string): bigint | undefined {
  const decimal = decimalOf(stated)
  const places = digitsOf(currency)
  if (!decimal || places === undefined || decimal.isNegative) return undefined
  if (decimal.digits === '') return 0n
  const isExact = decimal.digits.length <= decimal.point + places
  if (!isExact || decimal.point > MAX_WHOLE_DIGITS) return undefined
  return BigInt(decimal.digits.padEnd(decimal.point + places, '0'))
}

/**
 * Whether a success is that of the payment. Amount and currency are compared wherever the provider states them,
 * also by an adapter whose provider usually omits them.
 *
 * @returns `unverified` if nothing is stated and the adapter declares that
 */
export function amountVerdict(
  { amount, currency }: Succeeded,
  payment: { readonly amountMinor: bigint; readonly currency: string },
  { capabilities }: Pick<Adapter, 'capabilities'>,
): 'equal' | 'different' | 'unverified' {
  if (currency !== undefined && currency !== payment.currency) return 'different'
  if (amount !== undefined) {
    const isEqual = statedMinor(amount, payment.currency) === payment.amountMinor
    if (!isEqual) return 'different'
    if (currency !== undefined) return 'equal'
  }
  return capabilities.amount === 'absent' ? 'unverified' : 'different'
}

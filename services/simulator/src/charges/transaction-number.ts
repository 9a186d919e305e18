import { draw } from '../timeline/draw.js'

const DIGITS = 15

/**
 * The digits of the provider's transaction id. They depend on the reference only, so that they are the same after a
 * restart, and unique without a counter that a lost book would reset.
 */
export function transactionNumber(reference: string): string {
  return Math.floor(draw('transaction', reference, 'id') * 10 ** DIGITS)
    .toString()
    .padStart(DIGITS, '0')
}

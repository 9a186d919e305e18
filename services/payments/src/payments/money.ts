import { data } from 'currency-codes'

/**
 * Money is a whole number of the currency's minor units (cents; UGX has none) as a bigint. On the wire it
 * is a decimal string with exactly the currency's digits. Digits are those of ISO 4217, list one.
 */

/** Codes of list one that no one pays in: precious metals, bond units, tests, no currency at all. */
const NO_MONEY = /^X(A[UG]|B[ABCD]|DR|P[DT]|SU|TS|UA|XX)$/

const DIGITS: ReadonlyMap<string, number> = new Map(
  data.filter(({ code }) => !NO_MONEY.test(code)).map(({ code, digits }) => [code, digits]),
)

/** The largest amount, in major units. */
const MOST = 10n ** 12n

const DECIMAL = /^(0|[1-9]\d*)(?:\.(\d+))?$/

/** Why an amount is refused, as the client is told. */
export type AmountError = string

export function isCurrency(code: string): boolean {
  return DIGITS.has(code)
}

/**
 * Reads an amount as it comes in JSON: a number or a decimal string, in major units of `currency`.
 *
 * A number is taken by its shortest decimal form, so `0.1` is a tenth and not its binary neighbour.
 *
 * @returns minor units, or why it is refused: more digits than the currency has, not positive, not
 * finite, over 10^12, not a decimal
 */
export function parseAmount(input: unknown, currency: string): bigint | AmountError {
  const digits = DIGITS.get(currency)
  if (digits === undefined) return 'needs a currency of ISO 4217'
  if (typeof input !== 'number' && typeof input !== 'string') return FORM
  const match = DECIMAL.exec(typeof input === 'number' ? decimal(input) : input)
  const [, whole, fraction = ''] = match ?? []
  if (whole === undefined || whole.length > 13) return match ? OVER : FORM
  if (fraction.length > digits)
    return `must have at most ${digits} digits after the point in ${currency}`
  const minor = BigInt(whole + fraction.padEnd(digits, '0'))
  if (minor === 0n) return FORM
  return minor > MOST * 10n ** BigInt(digits) ? OVER : minor
}

const FORM = 'must be a positive amount, as a number or a decimal string'
const OVER = 'must be at most 1000000000000'

/** Numbers from 10^21 on, and tiny ones, would be written with an exponent, which is no decimal. */
function decimal(value: number): string {
  if (value >= 1e21) return '9'.repeat(22)
  return value > 0 && value < 1e-6 ? value.toFixed(20) : String(value)
}

/** The wire form of `minor` units: `5000` UGX is `"5000"`, 5000 US cents are `"50.00"`. */
export function formatAmount(minor: bigint, currency: string): string {
  const digits = DIGITS.get(currency) ?? 0
  if (digits === 0) return minor.toString()
  const text = minor.toString().padStart(digits + 1, '0')
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`
}

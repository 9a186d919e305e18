/** Decimal places by currency; a number format takes 0.1 ms to create. */
const known = new Map<string, number>()

/**
 * The decimal places of a currency, as ISO 4217 and CLDR have them.
 *
 * @param currency that of an account: every one is remembered
 * @throws RangeError unless it is three letters
 */
export function digitsOf(currency: string): number {
  const digits = known.get(currency)
  if (digits !== undefined) return digits
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  const { maximumFractionDigits = 2 } = format.resolvedOptions()
  known.set(currency, maximumFractionDigits)
  return maximumFractionDigits
}

/** Whether a decimal string is a positive amount with at most the currency's decimal places. */
export function isAmount(text: string, currency: string): boolean {
  const match = /^\d{1,12}(?:\.(\d+))?$/.exec(text)
  return match !== null && (match[1] ?? '').length <= digitsOf(currency) && Number(text) > 0
}

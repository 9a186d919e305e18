/** The decimal places of a currency, as ISO 4217 and CLDR have them. @throws RangeError unless it is three letters */
export function digitsOf(currency: string): number {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  return format.resolvedOptions().maximumFractionDigits ?? 2
}

/** Whether a decimal string is a positive amount with at most the currency's decimal places. */
export function isAmount(text: string, currency: string): boolean {
  const match = /^\d{1,12}(?:\.(\d+))?$/.exec(text)
  return match !== null && (match[1] ?? '').length <= digitsOf(currency) && Number(text) > 0
}

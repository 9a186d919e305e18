import { getCountryCallingCode, isSupportedCountry } from 'libphonenumber-js/min'

/** Forms of phone numbers on providers' wires. `phone` is E.164, such as `+256772123456`. */

/** `256772123456`: with the country's calling code, without a plus sign. */
export function internationalDigits(phone: string): string {
  return phone.slice(1)
}

/** `772123456`: without the country's calling code; undefined for a phone number of another country. */
export function nationalDigits(phone: string, country: string): string | undefined {
  const code = callingCodeOf(country)
  return code !== undefined && phone.startsWith(code) ? phone.slice(code.length) : undefined
}

/**
 * Whether a phone number has the calling code of one of the countries. Calling codes have no common prefixes
 * (ITU-T E.164), but some countries share one, such as +1.
 */
export function isPhoneOf(phone: string, countries: readonly string[]): boolean {
  return countries.some((country) => phone.startsWith(callingCodeOf(country) ?? '-'))
}

/** `+256`; undefined for an unknown country. */
function callingCodeOf(country: string): string | undefined {
  if (!isSupportedCountry(country)) return undefined
  return `+${getCountryCallingCode(country)}`
}

export function isCountry(country: string): boolean {
  return callingCodeOf(country) !== undefined
}

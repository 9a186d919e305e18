/** No slashes, so that the path of a scoped package in a stack trace does not match. */
const EMAIL = /[^\s@"'(</]+@[^\s@"')>/]+\.[a-z]{2,}/gi
/** With a country code in any grouping, or bare digits; not part of a UUID, an address or a date. */
const PHONE = /(?<![\w.-])(?:\+\d(?:[ -]?\d){7,14}|\d{9,15})(?![\w-])/g
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g

/** Masks phones, emails and tokens for the log. A phone keeps two digits, to stay distinguishable. */
export function mask(text: string): string {
  return text
    .replace(TOKEN, '[token]')
    .replace(EMAIL, '[email]')
    .replace(PHONE, (phone) => `[phone …${phone.slice(-2)}]`)
}

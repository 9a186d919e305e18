/** Without slashes, so that the path of a scoped package in a stack trace is not taken for one. */
const EMAIL = /[^\s@"'(</]+@[^\s@"')>/]+\.[a-z]{2,}/gi
/** With a country code in any grouping, or bare digits; not part of a UUID, an address or a date. */
const PHONE = /(?<![\w.-])(?:\+\d(?:[ -]?\d){7,14}|\d{9,15})(?![\w-])/g
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g

/**
 * Masks phones, emails and tokens in text for the log, such as a database's error message. A phone keeps its
 * last two digits, so that a reader can distinguish two of them.
 */
export function mask(text: string): string {
  return text
    .replace(TOKEN, '[token]')
    .replace(EMAIL, '[email]')
    .replace(PHONE, (phone) => `[phone …${phone.slice(-2)}]`)
}

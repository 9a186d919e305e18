/** Without slashes: the path of a scoped package in a stack is none. */
const EMAIL = /[^\s@"'(</]+@[^\s@"')>/]+\.[a-z]{2,}/gi
/** With a country code in any grouping, or bare; not a part of a UUID, an address or a date. */
const PHONE = /(?<![\w.-])(?:\+\d(?:[ -]?\d){7,14}|\d{9,15})(?![\w-])/g
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g

/**
 * Hides what may be a phone, an email or a token in a text that goes to the log, for instance in a
 * database's error message. The last two digits of a phone stay, so that two can be told apart.
 */
export function mask(text: string): string {
  return text
    .replace(TOKEN, '[token]')
    .replace(EMAIL, '[email]')
    .replace(PHONE, (phone) => `[phone …${phone.slice(-2)}]`)
}

/** Excludes slashes, so that the path of a scoped package in a stack trace does not match. */
const EMAIL = /[^\s@"'(</]+@[^\s@"')>/]+\.[a-z]{2,}/gi
/** A country code and digits in any grouping, or bare digits; not part of a UUID, IP address or date. */
const PHONE = /(?<![\w.-])(?:\+\d(?:[ -]?\d){7,14}|\d{9,15})(?![\w-])/g
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g

/** Masks phone numbers, emails and tokens. A phone number keeps its last two digits, to stay distinct. */
export function mask(text: string): string {
  return text
    .replace(TOKEN, '[token]')
    .replace(EMAIL, '[email]')
    .replace(PHONE, (phone) => `[phone …${phone.slice(-2)}]`)
}

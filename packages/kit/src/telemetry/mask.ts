/**
 * Excludes slashes, so that the path of a scoped package in a stack trace does not match. The lengths (RFC 5321,
 * section 4.5.3.1) keep the time linear.
 */
const EMAIL = /[^\s@"'(</]{1,64}@[^\s@"')>/]{1,255}\.[a-z]{2,63}/gi
/** A country code and digits in any grouping, or bare digits; not part of a UUID, IP address or date. */
const PHONE = /(?<![\w.-])(?:\+\d(?:[ -]?\d){7,14}|\d{9,15})(?![\w-])/g
/** Matches every word, so that the time is linear: a search for a JWT in any position would be quadratic. */
const WORD = /[\w.-]+/g
const TOKEN = /^eyJ[\w-]+\.[\w-]+\./
/** Also a key that is cut off or misspelled. */
const API_KEY = /mlp_(?:live|test)_[0-9A-Za-z]+/g

/** A UUID, or a trace or span id (W3C Trace Context, section 3.2.2), whose digits are random. */
const RANDOM_ID = /^(?:[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}|[\da-f]{32}|[\da-f]{16})$/i
/** Bare digits, or at least ten in any grouping: a date with a counter has fewer. */
const DIGITS = /(?<!\d)(?:\d{10,15}|\d(?:[._:-]?\d){9,14}|\d{9})(?!\d)/g

/** Masks phone numbers, emails, tokens and API keys. A phone number keeps its last two digits, to stay distinct. */
export function mask(text: string): string {
  const withoutKeys = text.includes('mlp_') ? text.replace(API_KEY, '[key]') : text
  const withoutTokens = withoutKeys.includes('eyJ')
    ? withoutKeys.replace(WORD, maskToken)
    : withoutKeys
  const withoutEmails = text.includes('@') ? withoutTokens.replace(EMAIL, '[email]') : withoutTokens
  return withoutEmails.replace(PHONE, maskPhone)
}

/** Masks a request id that a client chose. Unlike in other text, letters or dashes may surround a phone number. */
export function maskRequestId(id: string): string {
  return RANDOM_ID.test(id) ? id : mask(id).replace(DIGITS, maskPhone)
}

function maskToken(word: string): string {
  const start = word.indexOf('eyJ')
  const isToken = start >= 0 && TOKEN.test(word.slice(start))
  return isToken ? `${word.slice(0, start)}[token]` : word
}

function maskPhone(phone: string): string {
  return `[phone …${phone.replace(/\D/g, '').slice(-2)}]`
}

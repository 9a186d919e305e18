import { createHmac } from 'node:crypto'
import { parsePhoneNumberFromString } from 'libphonenumber-js/min'

/**
 * Keyed pseudonyms of personal data. The same value has the same pseudonym, and without the key no one can compute it
 * from a guessed value: all phone numbers of a country can be hashed in minutes.
 */

/** ITU-T E.164 assigns 999 to no country, so that no person has such a number, and no request may contain it. */
const PHONE_PREFIX = '+999'
const PHONE_DIGITS = 12
/** RFC 6761, section 6.4: no name under `.invalid` exists. */
const EMAIL_DOMAIN = 'erased.invalid'

const ERASED_PHONE = /^\+999\d{12}$/
const ERASED_EMAIL = /^[\da-f]{32}@erased\.invalid$/

/**
 * `+999` and 12 digits of an HMAC; a pseudonym is its own.
 *
 * @param phone in E.164 form
 * @param nth another pseudonym for each number, where two records with the same phone must differ
 */
export function pseudonymOfPhone(key: Buffer, phone: string, nth = 0): string {
  if (isErasedPhone(phone)) return phone
  const number =
    pseudonymHash(key, `phone ${phone}${suffix(nth)}`).readBigUInt64BE() %
    10n ** BigInt(PHONE_DIGITS)
  return PHONE_PREFIX + number.toString().padStart(PHONE_DIGITS, '0')
}

export function isErasedPhone(phone: string): boolean {
  return ERASED_PHONE.test(phone)
}

/**
 * 32 hexadecimal digits of an HMAC, at `erased.invalid`; a pseudonym is its own.
 *
 * @param email in normal form
 * @param nth as for a phone
 */
export function pseudonymOfEmail(key: Buffer, email: string, nth = 0): string {
  if (ERASED_EMAIL.test(email)) return email
  return `${pseudonymHash(key, `email ${email}${suffix(nth)}`).toString('hex', 0, 16)}@${EMAIL_DOMAIN}`
}

/** Neither a phone nor an email in normal form contains a space. */
const suffix = (nth: number) => (nth === 0 ? '' : ` ${nth}`)

/** An HMAC-SHA256 that replaces another hash, from which its input could be guessed. */
export function pseudonymHash(key: Buffer, input: string): Buffer {
  return createHmac('sha256', key).update(input).digest()
}

/** What identifies a person, in normal forms. */
export interface Identifiers {
  readonly phones: readonly string[]
  readonly emails: readonly string[]
}

/** Shorter national numbers are searched only together with their country code. */
const MIN_NATIONAL_DIGITS = 7

/**
 * Replaces the phones and emails of a person in free text by their pseudonyms. A phone is found in international and
 * national form without separators, and both also as a part of a URL or of JSON.
 */
export function redact(key: Buffer, text: string, { phones, emails }: Identifiers): string {
  const withoutPhones = phones.reduce((rest, phone) => {
    const pseudonym = pseudonymOfPhone(key, phone)
    // A number in JSON has no plus sign.
    return rest.replace(phonePattern(phone), (found) =>
      found.startsWith('+') ? pseudonym : pseudonym.slice(1),
    )
  }, text)
  return emails.reduce(
    (rest, email) => rest.replace(emailPattern(email), pseudonymOfEmail(key, email)),
    withoutPhones,
  )
}

/** Whether free text contains a phone or an email of a person, in a form that `redact` replaces. */
export function mentions(text: string, { phones, emails }: Identifiers): boolean {
  return [...phones.map(phonePattern), ...emails.map(emailPattern)].some(
    (pattern) => text.search(pattern) >= 0,
  )
}

function phonePattern(phone: string): RegExp {
  const digits = phone.slice(1)
  const national = parsePhoneNumberFromString(phone)?.nationalNumber ?? digits
  const code = digits.slice(0, digits.length - national.length)
  const international = `(?:\\+|00)?${code}`
  const isLong = code !== '' && national.length >= MIN_NATIONAL_DIGITS
  const prefix = isLong ? `(?:${international}0?|0)?` : international
  return new RegExp(`(?<!\\d)${prefix}${national}(?!\\d)`, 'g')
}

function emailPattern(email: string): RegExp {
  const at = email.lastIndexOf('@')
  const [local, domain] = [email.slice(0, at), email.slice(at + 1)].map(escaped)
  return new RegExp(`(?<![\\w.+-])${local}(?:@|%40|\\\\+u0040)${domain}(?![\\w-]|\\.\\w)`, 'giu')
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

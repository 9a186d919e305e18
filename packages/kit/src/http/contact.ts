import { applyDecorators } from '@nestjs/common'
import { isEmail, Matches } from 'class-validator'
import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/min'
import { toNfc } from './nfc.js'
import { Normalise } from './validation.js'

/** Normal forms that all services share: E.164 for phone numbers, lower case for email addresses. */

let defaultRegion: CountryCode = 'UG'

/** Sets the default region. It is global, because DTO decorators run before `DEFAULT_REGION` is read. */
export function setDefaultRegion(region: CountryCode) {
  defaultRegion = region
}

/**
 * A plus sign and at most 15 digits (ITU-T E.164, section 6.1). The shortest numbers have 6 digits. CHECK
 * constraints on columns with phone numbers have the same rule.
 */
const E164 = /^\+[1-9]\d{5,14}$/

/** Invisible characters (general category Cf). Contact apps wrap a number in marks of its direction. */
const FORMAT = /\p{Cf}/u

/**
 * A plus sign, or the international prefix 00 that ITU-T E.164 recommends, also in parentheses. The digits are
 * those of ASCII, Arabic-Indic, Persian and full width, as in libphonenumber. No country code starts with 0.
 */
const INTERNATIONAL = /^[(\s]*(?:[+＋]|([0٠۰０])\1(?=[^\p{Nd}]*[1-9١-٩۱-۹１-９]))/u

/**
 * The E.164 form of a phone number, or undefined if it has none. `region` supplies a missing country code.
 * Only the length is validated: operators get new prefixes faster than any table is updated.
 */
export function normalisePhone(input: string, region = defaultRegion): string | undefined {
  // Typographic spaces separate groups of digits in some languages.
  const visible = input.replace(/\p{Cf}/gu, '').replace(/\p{Zs}/gu, ' ')
  if (visible.length > 32) return undefined
  const text = visible.trim()
  // The region may define another international prefix, such as 001 in Thailand.
  return e164Of(text.replace(INTERNATIONAL, '+'), region) ?? e164Of(text, region)
}

function e164Of(text: string, region: CountryCode): string | undefined {
  const phone = parsePhoneNumberFromString(text, { defaultCountry: region, extract: false })
  if (!phone?.isPossible() || phone.ext) return undefined
  // For a few countries, the library accepts numbers longer than E.164 allows.
  return E164.test(phone.number) ? phone.number : undefined
}

/** RFC 5321, section 4.5.3.1.3. */
const MAX_EMAIL = 254

/**
 * White space, control and format characters, private and unassigned code points, and other characters without
 * a glyph. RFC 5321 allows some of these between quotes, and `isEmail` allows more.
 */
const INVISIBLE = /[\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]/u

/**
 * The normal form of an email address: NFC in lower case; undefined for any other string. CHECK constraints
 * on columns with email addresses accept every result.
 */
export function normaliseEmail(input: string): string | undefined {
  // `trim` would remove U+FEFF, which is a format character.
  if (input.length > 4 * MAX_EMAIL || FORMAT.test(input)) return undefined
  // The lower case of a composed character may be decomposed.
  const email = toNfc(toNfc(input.trim(), MAX_EMAIL).toLowerCase(), MAX_EMAIL)
  return email.length <= MAX_EMAIL && !INVISIBLE.test(email) && isEmail(email) ? email : undefined
}

/** Normalises a DTO's phone number and rejects input that has no E.164 form. */
export function IsPhone(): PropertyDecorator {
  return applyDecorators(
    // Invalid input becomes an empty string, because `IsOptional` would accept undefined.
    transformString((input) => normalisePhone(input) ?? ''),
    Matches(E164, { message: 'must be a phone number, such as +256772123456 or 0772123456' }),
  )
}

/** Normalises a DTO's email address and rejects input that is none. */
export function IsContactEmail(): PropertyDecorator {
  return applyDecorators(
    transformString((input) => normaliseEmail(input) ?? ''),
    // Rejects the empty string and other types.
    Matches(/@/, {
      message: `must be an email address of at most ${MAX_EMAIL} characters, without white space`,
    }),
  )
}

function transformString(transform: (input: string) => string): PropertyDecorator {
  return Normalise((value) => (typeof value === 'string' ? transform(value) : value))
}

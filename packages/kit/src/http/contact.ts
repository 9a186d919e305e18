import { applyDecorators } from '@nestjs/common'
import { IsEmail, Matches, MaxLength } from 'class-validator'
import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/min'
import { Normalise } from './validation.js'

/** Normal forms that all services share: E.164 for phone numbers, lower case for email addresses. */

let defaultRegion: CountryCode = 'UG'

/** Sets the default region. It is global, because DTO decorators run before `DEFAULT_REGION` is read. */
export function setDefaultRegion(region: CountryCode) {
  defaultRegion = region
}

/** A plus sign and up to 15 digits: ITU-T E.164, section 6.1. */
const E164 = /^\+\d{1,15}$/

/**
 * The E.164 form of a phone number, or undefined if it has none. `region` supplies a missing country code.
 * Only the length is validated: operators get new prefixes faster than any table is updated.
 */
export function normalisePhone(input: string, region = defaultRegion): string | undefined {
  if (input.length > 32) return undefined
  const phone = parsePhoneNumberFromString(input.trim(), { defaultCountry: region, extract: false })
  if (!phone?.isPossible() || phone.ext) return undefined
  // For a few countries, the library accepts numbers longer than E.164 allows.
  return E164.test(phone.number) ? phone.number : undefined
}

/** The normal form of an email address. `IsEmail` validates the syntax. */
export function normaliseEmail(input: string): string {
  return input.trim().toLowerCase()
}

/** Normalises a DTO's phone number and rejects input that has no E.164 form. */
export function IsPhone(): PropertyDecorator {
  return applyDecorators(
    // Invalid input becomes an empty string, because `IsOptional` would accept undefined.
    transformString((input) => normalisePhone(input) ?? ''),
    Matches(E164, { message: 'must be a phone number, such as +256772123456 or 0772123456' }),
  )
}

/** Normalises and validates a DTO's email address of at most 254 characters (RFC 5321, section 4.5.3.1.3). */
export function IsContactEmail(): PropertyDecorator {
  return applyDecorators(
    transformString(normaliseEmail),
    MaxLength(254, { message: 'must be at most 254 characters' }),
    IsEmail({}, { message: 'must be an email address' }),
  )
}

function transformString(transform: (input: string) => string): PropertyDecorator {
  return Normalise((value) => (typeof value === 'string' ? transform(value) : value))
}

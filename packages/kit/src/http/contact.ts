import { applyDecorators } from '@nestjs/common'
import { IsEmail, Matches, MaxLength } from 'class-validator'
import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/min'
import { Normalise } from './validation.js'

/** The normal form of phone numbers and email addresses in every service: E.164, and lower case. */

let defaultRegion: CountryCode = 'UG'

/** Sets `DEFAULT_REGION`. Global, because a DTO's decorators run before the environment is read. */
export function setDefaultRegion(region: CountryCode) {
  defaultRegion = region
}

/** A plus sign and up to 15 digits: ITU-T E.164, section 6.1. */
const E164 = /^\+\d{1,15}$/

/**
 * The E.164 form of a phone number, which may be without the country code of `region`; undefined if it has
 * none. Only the length is validated: operators get new prefixes faster than any table is updated.
 */
export function normalisePhone(input: string, region = defaultRegion): string | undefined {
  if (input.length > 32) return undefined
  const phone = parsePhoneNumberFromString(input.trim(), { defaultCountry: region, extract: false })
  if (!phone?.isPossible() || phone.ext) return undefined
  // The library accepts numbers of a few countries that are longer than E.164 allows.
  return E164.test(phone.number) ? phone.number : undefined
}

/** The normal form of an email address, whose syntax `IsEmail` validates. */
export function normaliseEmail(input: string): string {
  return input.trim().toLowerCase()
}

/** Normalises a DTO's phone number and rejects input without an E.164 form. */
export function IsPhone(): PropertyDecorator {
  return applyDecorators(
    // An empty string, because `IsOptional` would accept undefined.
    transformString((input) => normalisePhone(input) ?? ''),
    Matches(E164, { message: 'must be a phone number, such as +256772123456 or 0772123456' }),
  )
}

/** Normalises and validates a DTO's email address: at most 254 characters (RFC 5321, section 4.5.3.1.3). */
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

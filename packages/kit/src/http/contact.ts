import { applyDecorators } from '@nestjs/common'
import { IsEmail, MaxLength, registerDecorator } from 'class-validator'
import {
  type CountryCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/min'
import { Normalised } from './compiled-dto.js'

/** How a person is reached, in one normal form in every service: E.164 phones, lower-case emails. */

/** The region whose national phone numbers are understood, such as `UG`. */
export type Region = CountryCode

let defaultRegion: Region = 'UG'

/** Sets what a phone without a country code means; once, at the start, from `DEFAULT_REGION`. */
export function setDefaultRegion(region: Region) {
  defaultRegion = region
}

export function isRegion(text: string): text is Region {
  return isSupportedCountry(text)
}

/**
 * The E.164 form of a phone number (`+256772123456`), national forms read as of `region`; undefined for
 * what can't be one. Its length is judged, not its operator's prefix: those grow faster than any table.
 */
export function normalisePhone(input: string, region: Region = defaultRegion): string | undefined {
  if (input.length > 32) return undefined
  const phone = parsePhoneNumberFromString(input.trim(), {
    defaultCountry: region,
    extract: false,
  })
  if (!phone?.isPossible() || phone.ext) return undefined
  // A few countries have had longer numbers than E.164 allows, and the library knows them.
  return phone.number.length <= E164_LENGTH ? phone.number : undefined
}

/** The plus sign and 15 digits: ITU-T E.164, section 6.1. */
const E164_LENGTH = 16

/** The normal form of an email address; whether it is one is `IsEmail`'s to say. */
export function normaliseEmail(input: string): string {
  return input.trim().toLowerCase()
}

/** What a text that is no phone becomes, so that it is parsed once only, and no one takes it for one. */
const NO_PHONE = Symbol('no phone')

/** A DTO's phone: normalised when it can be, refused when not. */
export function IsPhone(): PropertyDecorator {
  return applyDecorators(
    Normalised((value) =>
      typeof value === 'string' ? (normalisePhone(value) ?? NO_PHONE) : value,
    ),
    (target: object, property: string | symbol) =>
      registerDecorator({
        name: 'isPhone',
        target: target.constructor,
        propertyName: property as string,
        validator: {
          validate: (value: unknown) => typeof value === 'string',
          defaultMessage: () => 'must be a phone number, such as +256772123456 or 0772123456',
        },
      }),
  )
}

/** A DTO's email address: lower-cased, at most 254 characters (RFC 5321, section 4.5.3.1.3). */
export function IsContactEmail(): PropertyDecorator {
  return applyDecorators(
    Normalised((value) => (typeof value === 'string' ? normaliseEmail(value) : value)),
    MaxLength(254, { message: 'must be at most 254 characters' }),
    IsEmail({}, { message: 'must be an email address' }),
  )
}

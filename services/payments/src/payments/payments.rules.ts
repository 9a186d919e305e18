import { applyDecorators } from '@nestjs/common'
import { IsString, Length, ValidateBy, type ValidationArguments } from 'class-validator'
import { isCurrency, isStoredCurrency } from '../money/currencies.js'
import { parseAmount } from '../money/money.js'

/** Validation rules for fields of DTOs, as decorators. */

/** Requires a string of 1 to `max` characters. */
export const IsText = (max: number) =>
  applyDecorators(
    Length(1, max, { message: `must be 1 to ${max} characters` }),
    IsString({ message: 'must be a string' }),
  )

/** Requires an amount in the `currency` of the same object. */
export const IsAmount = () =>
  ValidateBy({
    name: 'isAmount',
    validator: {
      validate: (_value, args) => args !== undefined && typeof amountOf(args) === 'bigint',
      defaultMessage: (args) => (args ? String(amountOf(args)) : 'must be an amount'),
    },
  })

function amountOf({ object, value }: ValidationArguments) {
  const { currency } = object as { currency?: unknown }
  const isValid = typeof currency === 'string' && isCurrency(currency)
  // The fallback BHD has the most decimal places (3), so that an invalid currency causes only one error.
  return parseAmount(value, isValid ? currency : 'BHD')
}

/** Requires a currency that a new payment can have. */
export const IsCurrency = () => currencyRule(isCurrency, 'must be a current ISO 4217 currency')

/** Requires a currency that a stored payment can have, including a withdrawn one. */
export const IsStoredCurrency = () =>
  currencyRule(isStoredCurrency, 'must be a current or withdrawn ISO 4217 currency')

const currencyRule = (isAllowed: (code: string) => boolean, message: string) =>
  ValidateBy({
    name: 'isCurrency',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && isAllowed(value),
      defaultMessage: () => `${message}, such as UGX`,
    },
  })

export const IsMetadata = () =>
  ValidateBy({
    name: 'isMetadata',
    validator: {
      validate: isMetadata,
      defaultMessage: () => 'must be up to 20 keys of 40 characters, with strings of up to 500',
    },
  })

function isMetadata(metadata: unknown): boolean {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return false
  const entries = Object.entries(metadata)
  const isEntry = ([key, value]: [string, unknown]) =>
    key.length >= 1 && key.length <= 40 && typeof value === 'string' && value.length <= 500
  return entries.length <= 20 && entries.every(isEntry)
}

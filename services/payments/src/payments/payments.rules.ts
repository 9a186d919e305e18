import {
  type ValidationArguments,
  type ValidatorConstraintInterface,
  registerDecorator,
} from 'class-validator'
import { isCurrency, parseAmount } from './money.js'

/** The rules of payments as decorators for DTOs. */

function rule(name: string, constraint: ValidatorConstraintInterface): () => PropertyDecorator {
  return () => (target, property) =>
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: property as string,
      validator: constraint,
    })
}

/**
 * A currency with the maximum number of digits (4), so that an invalid currency causes no second error for
 * the amount.
 */
const FALLBACK_CURRENCY = 'UYW'

function amountOf({ object, value }: ValidationArguments) {
  const { currency } = object as { currency?: unknown }
  const isValid = typeof currency === 'string' && isCurrency(currency)
  return parseAmount(value, isValid ? currency : FALLBACK_CURRENCY)
}

/** Requires an amount in the `currency` of the same object. */
export const IsAmount = rule('isAmount', {
  validate: (_value, args) => args !== undefined && typeof amountOf(args) === 'bigint',
  defaultMessage: (args) => (args ? String(amountOf(args)) : 'must be an amount'),
})

export const IsCurrency = rule('isCurrency', {
  validate: (value: unknown) => typeof value === 'string' && isCurrency(value),
  defaultMessage: () => 'must be an ISO 4217 currency, such as UGX',
})

const LIMITS = { keys: 20, keyCharacters: 40, valueCharacters: 500 }

export const IsMetadata = rule('isMetadata', {
  validate: (value: unknown) => isMetadata(value),
  defaultMessage: () =>
    `must be up to ${LIMITS.keys} keys of ${LIMITS.keyCharacters} characters, with strings of up to ${LIMITS.valueCharacters}`,
})

function isMetadata(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  return entries.length <= LIMITS.keys && entries.every(([key, value]) => isEntry(key, value))
}

function isEntry(key: string, value: unknown): boolean {
  return (
    key.length >= 1 &&
    key.length <= LIMITS.keyCharacters &&
    typeof value === 'string' &&
    value.length <= LIMITS.valueCharacters
  )
}

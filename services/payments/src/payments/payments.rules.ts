import {
  type ValidationArguments,
  type ValidatorConstraintInterface,
  registerDecorator,
} from 'class-validator'
import { isCurrency, parseAmount } from './money.js'

/** The pure rules of this feature as decorators of DTOs. */

function rule(name: string, constraint: ValidatorConstraintInterface): () => PropertyDecorator {
  return () => (target, property) =>
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: property as string,
      validator: constraint,
    })
}

function amountOf({ object, value }: ValidationArguments) {
  const { currency } = object as { currency?: unknown }
  // A currency that is wrong is told at its own field.
  const known = typeof currency === 'string' && isCurrency(currency) ? currency : 'UYW'
  return parseAmount(value, known)
}

/** An amount of the same object's `currency`. */
export const IsAmount = rule('isAmount', {
  validate: (_value, args) => args !== undefined && typeof amountOf(args) === 'bigint',
  defaultMessage: (args) => (args ? String(amountOf(args)) : 'must be an amount'),
})

export const IsCurrency = rule('isCurrency', {
  validate: (value: unknown) => typeof value === 'string' && isCurrency(value),
  defaultMessage: () => 'must be a currency of ISO 4217, such as UGX',
})

const MOST = { keys: 20, keyCharacters: 40, valueCharacters: 500 }

export const IsMetadata = rule('isMetadata', {
  validate: (value: unknown) => isMetadata(value),
  defaultMessage: () =>
    `must be up to ${MOST.keys} keys of ${MOST.keyCharacters} characters, with texts of up to ${MOST.valueCharacters}`,
})

function isMetadata(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  return entries.length <= MOST.keys && entries.every(([key, text]) => isEntry(key, text))
}

function isEntry(key: string, text: unknown): boolean {
  return (
    key.length >= 1 &&
    key.length <= MOST.keyCharacters &&
    typeof text === 'string' &&
    text.length <= MOST.valueCharacters
  )
}

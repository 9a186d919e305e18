import type { ArgumentMetadata, PipeTransform, Type } from '@nestjs/common'
import { validate, type ValidationError, type ValidatorOptions } from 'class-validator'
import { type FieldError, HTTP_PROBLEMS, Problem } from './problem.js'
import { isStorable } from './storable-text.js'
import { isSurelyValid } from './valid-input.js'

const UNKNOWN_FIELDS_ALLOWED = Symbol('unknown fields are allowed')

/** Marks a DTO whose sender may add unknown fields, such as a webhook's. Unknown fields are dropped. */
export function AllowUnknownFields(): ClassDecorator {
  return (target) => Reflect.defineMetadata(UNKNOWN_FIELDS_ALLOWED, true, target)
}

const NORMALISERS = Symbol('the normalisers of properties')

type Normaliser = (value: unknown) => unknown

/** Replaces the value of a DTO's property with its normal form before validation. */
export function Normalise(normaliser: Normaliser): PropertyDecorator {
  return (prototype, property) =>
    Reflect.defineMetadata(
      NORMALISERS,
      [...normalisersOf(prototype), [property, normaliser]],
      prototype,
    )
}

/** Includes those that the DTO inherits. */
function normalisersOf(prototype: object) {
  return (Reflect.getMetadata(NORMALISERS, prototype) ?? []) as [string, Normaliser][]
}

/** A 400 that names each invalid field. */
export function validationProblem(errors: readonly FieldError[]): Problem {
  const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ')
  return new Problem(HTTP_PROBLEMS.validation, detail, { errors })
}

const LENIENT: ValidatorOptions = {
  whitelist: true,
  validationError: { target: false, value: false },
}
const STRICT: ValidatorOptions = { ...LENIENT, forbidNonWhitelisted: true }

/**
 * Validates every body and query against its DTO (no nested DTOs). Nest's `ValidationPipe` is not used:
 * class-transformer takes 9 % of the CPU time of creating a payment, and silently drops some fields.
 */
export class InputPipe implements PipeTransform {
  async transform(value: unknown, { type, metatype }: ArgumentMetadata): Promise<unknown> {
    if (value instanceof Problem) throw value
    // Path parameters and the values of custom decorators have no DTO.
    if (type === 'custom' || !metatype || metatype === String) return value
    // class-validator would accept null, and would validate each element of an array.
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Problem(HTTP_PROBLEMS.validation, 'The body must be a JSON object.', { errors: [] })
    }
    const input = instanceOf(metatype, value)
    if (!isSurelyValid(input)) {
      const isLenient = Reflect.hasMetadata(UNKNOWN_FIELDS_ALLOWED, metatype)
      const errors = await validate(input, isLenient ? LENIENT : STRICT)
      if (errors.length > 0) throw validationProblem(errors.map(fieldError))
    }
    assertStorable(input)
    return input
  }
}

const UNSTORABLE = 'must not contain a NUL character or a lone surrogate'

function assertStorable(input: object) {
  const unstorable = Object.entries(input).filter(([, value]) => !isStorable(value))
  if (unstorable.length === 0) return
  throw validationProblem(unstorable.map(([field]) => ({ field, message: UNSTORABLE })))
}

/** Fields that would replace the instance's class or prototype. A body is rejected earlier (json-body.ts). */
const RESERVED = ['constructor', '__proto__']

function instanceOf(dto: Type<object>, fields: object): object {
  const reserved = RESERVED.filter((name) => Object.hasOwn(fields, name))
  if (reserved.length > 0) {
    throw validationProblem(reserved.map((field) => ({ field, message: 'should not exist' })))
  }
  const instance = Object.assign(new dto(), fields) as Record<string, unknown>
  for (const [name, normalise] of normalisersOf(dto.prototype as object)) {
    if (name in fields) instance[name] = normalise(instance[name])
  }
  return instance
}

function fieldError({ property, constraints = {} }: ValidationError): FieldError {
  return { field: property, message: Object.values(constraints).join('; ') }
}

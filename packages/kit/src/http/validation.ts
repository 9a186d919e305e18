import type { ArgumentMetadata, PipeTransform, Type } from '@nestjs/common'
import {
  getMetadataStorage,
  validate,
  type ValidationError,
  type ValidatorOptions,
} from 'class-validator'
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

/** A response lists this many invalid fields. */
const MAX_ERRORS = 20
/** A client chooses the names of unknown fields, which may have the length of a body. */
const MAX_NAME_CHARACTERS = 64
/** Some rules take milliseconds for a string of 90 kB. The longest valid string, a refresh token, has 1,000. */
const MAX_CHARACTERS = 2_000
/** Every name costs time, and a query of 16 kB could have thousands. A body is limited in json-limits.ts. */
const MAX_PARAMETERS = 50

/** A 400 that names the invalid fields. `logged` are the names that the log may contain. */
export function validationProblem(
  invalid: readonly FieldError[],
  logged = invalid.map(({ field }) => field),
): Problem {
  const errors = invalid.slice(0, MAX_ERRORS)
  const more = invalid.length - errors.length
  if (more > 0) errors.push({ field: '', message: `${more} more invalid fields are not listed` })
  const detail = errors
    .map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
    .join('; ')
  return new Problem(HTTP_PROBLEMS.validation, detail, { errors, loggedFields: logged })
}

const OPTIONS: ValidatorOptions = { validationError: { target: false, value: false } }

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
    if (type === 'query') assertFewParameters(value)
    const dto = metatype as Type<object>
    const shape = shapeOf(dto)
    const unknown = unknownFields(shape, value)
    const overlong = overlongFields(shape, value)
    // Such input is rejected before any rule runs, because rules take much more time than these two checks.
    if (unknown.length > MAX_ERRORS || overlong.length > 0) throw inputProblem(unknown, overlong)
    const input = instanceOf(dto, value)
    if (unknown.length > 0 || !isSurelyValid(input)) {
      const errors = await validate(input, OPTIONS)
      if (errors.length + unknown.length > 0) throw inputProblem(unknown, errors.map(fieldError))
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

/** A 400 for query parameters that the route does not declare. */
export function unknownParameters(names: readonly string[]): Problem {
  return inputProblem(names.map(unknownField), [])
}

function assertFewParameters(query: object) {
  if (Object.keys(query).length <= MAX_PARAMETERS) return
  const detail = `The query has more than ${MAX_PARAMETERS} parameters.`
  throw new Problem(HTTP_PROBLEMS.validation, detail, { errors: [] })
}

/** In the log, this stands for the names of unknown fields: a name may be a phone, a token or a password. */
const UNKNOWN = '[unknown]'

function inputProblem(unknown: readonly FieldError[], invalid: readonly FieldError[]): Problem {
  const logged = invalid.map(({ field }) => field)
  return validationProblem(
    [...unknown, ...invalid],
    unknown.length > 0 ? [...logged, UNKNOWN] : logged,
  )
}

/** An error for each field that the DTO does not declare; none if the DTO allows unknown fields. */
function unknownFields({ declared, allowsUnknown }: Shape, fields: object): FieldError[] {
  if (allowsUnknown) return []
  const names = Object.keys(fields).filter((name) => !declared.has(name))
  return names.map(unknownField)
}

function unknownField(name: string): FieldError {
  return { field: bounded(name), message: 'should not exist' }
}

function overlongFields({ declared }: Shape, fields: object): FieldError[] {
  const isOverlong = ([, value]: [string, unknown]) =>
    typeof value === 'string' && value.length > MAX_CHARACTERS
  const overlong = Object.entries(fields).filter(
    (field) => isOverlong(field) && declared.has(field[0]),
  )
  const message = `must be at most ${MAX_CHARACTERS} characters`
  return overlong.map(([field]) => ({ field, message }))
}

function bounded(name: string): string {
  return name.length > MAX_NAME_CHARACTERS ? `${name.slice(0, MAX_NAME_CHARACTERS)}…` : name
}

/** What a DTO's metadata says about the fields of its input. */
interface Shape {
  /** The fields that have at least one rule. */
  readonly declared: ReadonlySet<string>
  readonly allowsUnknown: boolean
  readonly normalisers: readonly [string, Normaliser][]
}

const shapes = new Map<Type<object>, Shape>()

function shapeOf(dto: Type<object>): Shape {
  const known = shapes.get(dto)
  if (known) return known
  const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false)
  const declared = new Set(rules.map(({ propertyName }) => propertyName))
  const allowsUnknown = Reflect.hasMetadata(UNKNOWN_FIELDS_ALLOWED, dto)
  const shape = { declared, allowsUnknown, normalisers: normalisersOf(dto.prototype as object) }
  shapes.set(dto, shape)
  return shape
}

/** Copies only declared fields: `__proto__` or `constructor` would replace the instance's class or prototype. */
function instanceOf(dto: Type<object>, fields: object): object {
  const instance = new dto() as Record<string, unknown>
  const { declared, normalisers } = shapeOf(dto)
  for (const name of declared) {
    if (Object.hasOwn(fields, name)) instance[name] = (fields as Record<string, unknown>)[name]
  }
  for (const [name, normalise] of normalisers) {
    if (Object.hasOwn(fields, name)) instance[name] = normalise(instance[name])
  }
  return instance
}

function fieldError({ property, constraints = {} }: ValidationError): FieldError {
  return { field: property, message: Object.values(constraints).join('; ') }
}

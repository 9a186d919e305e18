import { applyDecorators } from '@nestjs/common'
import { Transform } from 'class-transformer'
import { getMetadataStorage, type ValidationArguments } from 'class-validator'

/**
 * The rules of a DTO, read once from class-validator and then gone through without it: most bodies are
 * good, and finding that out is most of what an endpoint does. Whatever is not surely good is left to
 * class-validator itself, which also has the words for what is wrong.
 */

type Dto = object
type DtoClass = new () => Dto
type Normal = (value: unknown) => unknown

const NORMAL = Symbol('the normal form of a property')

/** Replaces the value of a DTO's property by its normal form, before it is judged. */
export function Normalised(normal: Normal): PropertyDecorator {
  return applyDecorators(
    // The value as it came: class-transformer's own leaves out what is named as a method of objects.
    Transform(({ obj, key }: { obj: Record<string, unknown>; key: string }) => normal(obj[key])),
    (target: object, property: string | symbol) =>
      Reflect.defineMetadata(NORMAL, normal, target, property),
  )
}

interface Property {
  readonly name: string
  readonly normal: Normal | undefined
  readonly isNeeded: ((dto: Dto, value: unknown) => boolean)[]
  readonly checks: ((value: unknown, dto: Dto) => boolean)[]
}

/** Gives the DTO of a good body; undefined for any that needs a closer look. */
export type Compiled = (body: object) => Dto | undefined

const NEVER: Compiled = () => undefined

/**
 * Compiles a DTO whose properties have synchronous rules of their own and no inner DTOs.
 *
 * @param dropsUnknown whether a field that the DTO doesn't have is left out; else it needs a closer look
 */
export function compiled(dto: DtoClass, { dropsUnknown }: { dropsUnknown: boolean }): Compiled {
  const properties = propertiesOf(dto)
  if (!properties) return NEVER
  const named = new Map(properties.map((property) => [property.name, property]))
  return (body) => {
    const made = new dto() as Record<string, unknown>
    for (const name of Object.keys(body)) {
      const property = named.get(name)
      if (!property && dropsUnknown) continue
      if (!property) return undefined
      const value = (body as Record<string, unknown>)[name]
      made[name] = property.normal ? property.normal(value) : value
    }
    return properties.every((property) => isGood(property, made)) ? made : undefined
  }
}

function isGood({ name, isNeeded, checks }: Property, made: Record<string, unknown>): boolean {
  const value = made[name]
  if (!isNeeded.every((needed) => needed(made, value))) return true
  return checks.every((check) => check(value, made))
}

/** What class-validator knows of each property; undefined if any of it is more than a plain rule. */
function propertiesOf(dto: DtoClass): Property[] | undefined {
  const storage = getMetadataStorage()
  const rules = storage.getTargetValidationMetadatas(dto, '', true, false)
  const properties = new Map<string, Property>()
  for (const { propertyName: name, type, constraints, constraintCls, each, ...rule } of rules) {
    const property = properties.get(name) ?? {
      name,
      normal: Reflect.getMetadata(NORMAL, dto.prototype as object, name) as Normal | undefined,
      isNeeded: [],
      checks: [],
    }
    properties.set(name, property)
    if (type === 'conditionalValidation') {
      property.isNeeded.push(constraints[0] as Property['isNeeded'][number])
      continue
    }
    const [validator, another] = storage.getTargetValidatorConstraints(constraintCls)
    const isPlain = validator && !another && !validator.async && !each && !rule.validateIf
    if (type !== 'customValidation' || !isPlain) return undefined
    const { instance } = validator
    property.checks.push((value, object) => {
      const args: ValidationArguments = {
        targetName: dto.name,
        property: name,
        object,
        value,
        constraints,
      }
      return instance.validate(value, args) === true
    })
  }
  return [...properties.values()]
}

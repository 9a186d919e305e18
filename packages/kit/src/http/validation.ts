import { type ArgumentMetadata, Injectable, ValidationPipe } from '@nestjs/common'
import type { ValidationError } from 'class-validator'
import { type Compiled, compiled } from './compiled-dto.js'
import { type FieldError, HTTP_PROBLEMS, Problem } from './problem.js'

const UNKNOWN_ALLOWED = Symbol('unknown fields are allowed')

/** On a DTO whose sender may add fields of its own (a provider's webhook): they are dropped. */
export function AllowUnknownFields(): ClassDecorator {
  return (target) => Reflect.defineMetadata(UNKNOWN_ALLOWED, true, target)
}

/** A 400 that names each wrong field. */
export function validationProblem(errors: readonly FieldError[]): Problem {
  const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ')
  return new Problem(HTTP_PROBLEMS.validation, detail, { errors })
}

const SHARED = {
  transform: true,
  whitelist: true,
  validationError: { target: false, value: false },
  exceptionFactory: (errors: ValidationError[]) => validationProblem(flatten(errors)),
} as const

/**
 * Checks every body and query against its DTO; an unknown field is an error unless the DTO allows it.
 * A body that its compiled DTO finds good goes no further.
 */
@Injectable()
export class InputPipe extends ValidationPipe {
  private readonly lenient = new ValidationPipe(SHARED)
  private readonly compiled = new Map<unknown, Compiled>()

  constructor() {
    super({ ...SHARED, forbidNonWhitelisted: true, forbidUnknownValues: true })
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (value instanceof Problem) throw value
    const { type, metatype: dto } = metadata
    // What a decorator of ours gives, and a text of the path: there is nothing to check.
    if (type === 'custom' || (type === 'param' && dto === String)) return value
    if (type !== 'body') return this.thoroughly(value, metadata)
    // A JSON body that is a list, a text or null: class-validator would look into it or let it pass.
    if (!isPlainObject(value)) {
      throw new Problem(HTTP_PROBLEMS.validation, 'The body must be a JSON object.', { errors: [] })
    }
    return this.quickly(value, dto) ?? this.thoroughly(value, metadata)
  }

  private quickly(body: object, dto: ArgumentMetadata['metatype']): unknown {
    if (!dto) return undefined
    let good = this.compiled.get(dto)
    if (!good) {
      good = compiled(dto as new () => object, { dropsUnknown: isLenient(dto) })
      this.compiled.set(dto, good)
    }
    return good(body)
  }

  private async thoroughly(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const isLenientDto = metadata.metatype && isLenient(metadata.metatype)
    return isLenientDto ? this.lenient.transform(value, metadata) : super.transform(value, metadata)
  }
}

function isLenient(dto: object): boolean {
  return Reflect.hasMetadata(UNKNOWN_ALLOWED, dto)
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One entry a field: class-validator's tree of constraints as a list of paths. */
function flatten(errors: ValidationError[], parent = ''): FieldError[] {
  return errors.flatMap((error) => {
    const field = parent + error.property
    const own = Object.values(error.constraints ?? {})
    const inner = flatten(error.children ?? [], `${field}.`)
    return own.length > 0 ? [{ field, message: own.join('; ') }, ...inner] : inner
  })
}

import { type ArgumentMetadata, Injectable, ValidationPipe } from '@nestjs/common'
import type { ValidationError } from 'class-validator'
import { type FieldError, HTTP_PROBLEMS, Problem } from './problem.js'

const UNKNOWN_ALLOWED = Symbol('unknown fields are allowed')

/** On a DTO whose sender may add fields of its own (a provider's webhook): they are dropped. */
export function AllowUnknownFields(): ClassDecorator {
  return (target) => Reflect.defineMetadata(UNKNOWN_ALLOWED, true, target)
}

/** A 400 that names each wrong field. */
export function invalid(errors: readonly FieldError[]): Problem {
  const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ')
  return new Problem(HTTP_PROBLEMS.validation, detail, { errors })
}

const SHARED = {
  transform: true,
  whitelist: true,
  validationError: { target: false, value: false },
  exceptionFactory: (errors: ValidationError[]) => invalid(flatten(errors)),
} as const

/** Checks every body and query against its DTO; an unknown field is an error unless the DTO allows it. */
@Injectable()
export class InputPipe extends ValidationPipe {
  private readonly lenient = new ValidationPipe(SHARED)

  constructor() {
    super({ ...SHARED, forbidNonWhitelisted: true, forbidUnknownValues: true })
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (value instanceof Problem) throw value
    // A JSON body that is a list, a text or null: class-validator would look into it or let it pass.
    if (metadata.type === 'body' && !isPlainObject(value)) {
      throw new Problem(HTTP_PROBLEMS.validation, 'The body must be a JSON object.', { errors: [] })
    }
    const dto = metadata.metatype
    if (dto && Reflect.hasMetadata(UNKNOWN_ALLOWED, dto)) {
      return this.lenient.transform(value, metadata) as Promise<unknown>
    }
    return super.transform(value, metadata) as Promise<unknown>
  }
}

function isPlainObject(value: unknown): boolean {
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

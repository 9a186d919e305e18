import { applyDecorators } from '@nestjs/common'
import { ApiPropertyOptional } from '@nestjs/swagger'
import { IsInt, Max, Min } from 'class-validator'
import { Normalise } from './validation.js'

interface Bounds {
  readonly minimum: number
  readonly maximum: number
  /** Documents the default, which the property's initial value sets. */
  readonly default?: number
  readonly description?: string
}

/** Validates a whole number in a query. */
export function WholeNumber({ minimum, maximum, ...docs }: Bounds): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ type: 'integer', minimum, maximum, ...docs }),
    // `Number` would also accept `1e2`, `0x10` and spaces.
    Normalise((value) => (isDigits(value) ? Number(value) : value)),
    IsInt({ message: 'must be a whole number' }),
    Min(minimum, { message: `must be at least ${minimum}` }),
    Max(maximum, { message: `must be at most ${maximum}` }),
  )
}

function isDigits(value: unknown): boolean {
  return typeof value === 'string' && /^\d{1,9}$/.test(value)
}

import { applyDecorators } from '@nestjs/common'
import { ApiPropertyOptional } from '@nestjs/swagger'
import { IsOptional, ValidateBy } from 'class-validator'
import { WholeNumber } from './whole-number.js'

/** Keyset pagination: a page's `nextCursor` encodes the id of its last row. */

export interface Page<Row> {
  readonly data: Row[]
  readonly nextCursor: string | null
}

const MAX_LIMIT = 100

/** Validates a query's `limit`. `fallback` documents the default, which the property's initial value sets. */
export function PageLimit(fallback: number): PropertyDecorator {
  return WholeNumber({ minimum: 1, maximum: MAX_LIMIT, default: fallback })
}

export function PageCursor(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ type: String, description: 'The `nextCursor` of the previous page' }),
    IsOptional(),
    ValidateBy({
      name: 'isCursor',
      validator: {
        validate: (value) => typeof value === 'string' && !!decodeCursor(value),
        defaultMessage: () => 'must be the nextCursor of a page',
      },
    }),
  )
}

/** Builds a page of up to `limit` rows. An extra row in `found` means that there is a next page. */
export function pageOf<Row extends { readonly id: string }>(
  found: readonly Row[],
  limit: number,
): Page<Row> {
  const data = found.slice(0, limit)
  const last = found.length > limit ? data.at(-1) : undefined
  return { data, nextCursor: last ? encodeCursor(last.id) : null }
}

/** Encodes a UUID in base64url as a cursor, which clients treat as opaque. */
export function encodeCursor(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')
}

/** The UUID in a cursor; undefined if the cursor is invalid. */
export function decodeCursor(cursor: string): string | undefined {
  if (!/^[\w-]{22}$/.test(cursor)) return undefined
  const hex = Buffer.from(cursor, 'base64url').toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

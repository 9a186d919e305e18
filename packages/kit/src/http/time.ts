import { isISO8601, ValidateBy } from 'class-validator'

/** RFC 3339, section 5.6. ISO 8601 also allows week dates, ordinal dates and times without a time zone. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

/** Parses an RFC 3339 time. Returns undefined for any other format, or for a date that does not exist. */
export function parseTime(input: unknown): Date | undefined {
  if (typeof input !== 'string' || !RFC_3339.test(input)) return undefined
  if (!isISO8601(input, { strict: true })) return undefined
  const time = new Date(input)
  return Number.isNaN(time.getTime()) ? undefined : time
}

export function IsTime(): PropertyDecorator {
  return ValidateBy({
    name: 'isTime',
    validator: {
      validate: (value) => parseTime(value) !== undefined,
      defaultMessage: () => 'must be an RFC 3339 time, such as 2026-01-31T12:00:00Z',
    },
  })
}

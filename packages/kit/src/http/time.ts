import { ValidateBy } from 'class-validator'

/**
 * The `date-time` of RFC 3339, section 5.6. `T` and `Z` may be in lower case. ISO 8601 also allows week dates,
 * ordinal dates, 24:00 and times without an offset, which this format excludes.
 */
const RFC_3339 =
  /^(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(\.\d+)?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/**
 * Parses an RFC 3339 time, and drops digits beyond milliseconds. A leap second is the second after it, as in
 * Unix time; it is accepted on every day at 23:59:60 UTC, since there is no table of future leap seconds.
 *
 * @returns undefined for any other format, a date that does not exist, or a year that PostgreSQL can't store
 */
export function parseTime(input: unknown): Date | undefined {
  const match = typeof input === 'string' ? RFC_3339.exec(input) : null
  if (!match) return undefined
  const [, date = '', hour, minute, second, fraction = '', offset = ''] = match
  if (!isDate(date)) return undefined
  const isLeap = second === '60'
  const text = `${date}T${hour}:${minute}:${isLeap ? '59' : second}${fraction}${offset.toUpperCase()}`
  const time = new Date(text)
  if (isLeap) {
    if (time.getUTCHours() !== 23 || time.getUTCMinutes() !== 59) return undefined
    time.setTime(time.getTime() + 1_000)
  }
  const year = time.getUTCFullYear()
  return year >= 1 && year <= 9999 ? time : undefined
}

/** Whether a day exists: `Date` reads 30 February as 2 March. */
function isDate(date: string): boolean {
  const day = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.getUTCDate() === Number(date.slice(8))
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

/**
 * SQL that formats a time as on the wire: ISO 8601 in UTC with milliseconds. The text of a `timestamptz` depends
 * on the DateStyle and the TimeZone of the session; this one does not. PostgreSQL takes a third of a microsecond
 * for it; converting the times of a payment to `Date` and back took 9 of the 130 µs of reading the payment.
 */
export function isoTime(time: string): string {
  return `to_char((${time}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
}

import { randomUUID } from 'node:crypto'
import { databaseNow } from './clock.js'

/**
 * Creates a UUIDv7 (RFC 9562, section 5.7) for a time in ms since the epoch, by default the database's; ids sort
 * by time. `randomUUID` buffers its random bits: a system call for each id would take 4 % of the time to create a
 * payment.
 */
export function newUuid(msecs = databaseNow()): string {
  return `${timePart(msecs)}-7${randomUUID().slice(15)}`
}

/** RFC 9562, section 5.9: before every other UUID. */
export const NIL_UUID = '00000000-0000-0000-0000-000000000000'

/** The smallest UUIDv7 of a time: ids created earlier are smaller, and ids created from then on are not. */
export function minUuidAt(time: Date): string {
  // The first 48 bits are the Unix time in milliseconds.
  const msecs = Math.min(Math.max(0, time.getTime()), 2 ** 48 - 1)
  return `${timePart(msecs)}-7000-8000-000000000000`
}

function timePart(msecs: number): string {
  const hex = msecs.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}

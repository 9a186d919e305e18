import type { Run, Statement } from './statement.js'

/**
 * The database's clock. The clocks of replicas may differ by minutes, but all replicas have one database. So the
 * times of ids, signatures and tokens are those of the process's clock, corrected by its measured difference.
 *
 * The difference is a state of the module, because a process has one clock, and creates ids in many places.
 */

/** Milliseconds to add to the process's clock; 0 until it is measured. */
let offsetMs = 0

/** The time by the database's clock, in ms since the epoch. */
export function databaseNow(): number {
  return Date.now() + offsetMs
}

export function clockOffsetMs(): number {
  return offsetMs
}

/** A round trip to the database. Times are in ms since the epoch. */
export interface ClockReading {
  /** By the process's clock. */
  readonly sentAt: number
  readonly receivedAt: number
  /** By the database's clock, between these two. */
  readonly databaseAt: number
}

/**
 * The offset after a reading. A round trip bounds the offset: the database read its clock after the statement was
 * sent, and before the result was received. An offset within the bounds stays, so a slow network changes nothing.
 * Any other one is wrong, and is replaced by the middle.
 */
export function correctedOffset(
  offset: number,
  { sentAt, receivedAt, databaseAt }: ClockReading,
): number {
  // `Date.now()` drops the fraction of a millisecond.
  const [min, max] = [databaseAt - (receivedAt + 1), databaseAt - sentAt]
  return offset >= min && offset <= max ? offset : Math.round((min + max) / 2)
}

const READ_CLOCK: Statement = {
  name: 'clock_read',
  text: 'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms',
}

/** A larger difference between the two clocks of a process during a round trip: its time of day was set. */
const MAX_STEP_MS = 50

/** Measures the offset by one statement. */
export async function measureClock(run: Run): Promise<void> {
  const [sentAt, startedAt] = [Date.now(), performance.now()]
  const [row] = await run<{ ms: string }>(READ_CLOCK, [])
  const [receivedAt, endedAt] = [Date.now(), performance.now()]
  const wasSet = Math.abs(receivedAt - sentAt - (endedAt - startedAt)) > MAX_STEP_MS
  if (!row || wasSet) return
  offsetMs = correctedOffset(offsetMs, { sentAt, receivedAt, databaseAt: Number(row.ms) })
}

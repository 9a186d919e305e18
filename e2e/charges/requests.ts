/** Whether requests for money were sent that must not have been: pure rules. Times are in ms since the epoch. */

export interface SentAttempt {
  /** When replicas claimed the attempt to send it. */
  readonly claimedAt: readonly number[]
  /** When it was first in doubt. */
  readonly doubtfulAt?: number
  /** When the simulator handled a request with its reference: accepted, repeated or rejected ones, in order. */
  readonly requestedAt: readonly number[]
  /** The requests among them that came after the book had the charge. */
  readonly repeats: number
}

/** A time in which the simulator handled no request: those that it had received were handled at its end. */
export interface Downtime {
  readonly from: number
  readonly to: number
}

/** A request is handled this long after it was sent at most, unless the simulator is down. */
const DELAY_MS = 2_000

/** Why the attempt was sent once too often; undefined if it was not. */
export function resendOf(attempt: SentAttempt, downtimes: readonly Downtime[]): string | undefined {
  const { claimedAt, doubtfulAt, requestedAt, repeats } = attempt
  if (repeats > 0) return `${repeats} requests for a charge that existed`
  if (requestedAt.length > claimedAt.length) {
    return `${requestedAt.length} requests after ${claimedAt.length} claims`
  }
  if (doubtfulAt === undefined) return undefined
  if (claimedAt.some((at) => at > doubtfulAt)) return 'claimed again although in doubt'
  const late = requestedAt.find((at) => at > doubtfulAt + DELAY_MS && !wasHeld(at, downtimes))
  return late === undefined ? undefined : `requested ${late - doubtfulAt} ms after it was in doubt`
}

/** Whether the request may have been sent before a downtime, and handled at its end. */
function wasHeld(at: number, downtimes: readonly Downtime[]): boolean {
  return downtimes.some(({ from, to }) => at >= from && at <= to + DELAY_MS)
}

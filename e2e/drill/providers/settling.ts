import type { BookEntry } from '../../charges/book.ts'
import type { Created } from '../../charges/driver.ts'
import type { PaymentRecord } from '../../charges/records.ts'
import { BOUND_MS, LOST_CALL_BOUND_MS, SEND_SECONDS, SEND_TIMEOUT_MS } from './settings.ts'

/** How long payments take to be settled once the fault has ended and the provider has decided: pure rules. */

/** Times in ms since the epoch. */
export interface Times {
  /** When the platform was stable again. */
  readonly stableAt: number
}

interface Facts extends Times {
  readonly book: { find(provider: string, reference: string): BookEntry | undefined }
  readonly created: readonly Created[]
}

export interface Figures {
  readonly payments: number
  readonly succeeded: number
  readonly failed: number
  readonly flagged: number
  /** The longest time to be settled. */
  readonly longestMs: number
  /** Requests for money whose answer was lost with a replica. */
  readonly lostCalls: number
  /** Payments that took longer than allowed. */
  readonly late: readonly string[]
}

export function figuresOf(records: readonly PaymentRecord[], facts: Facts): Figures {
  const delays = records.map((record) => ({ record, ms: delayOf(record, facts) }))
  const isLate = ({ record, ms }: (typeof delays)[number]) => ms > limitOf(record)
  const count = (is: (record: PaymentRecord) => boolean) => records.filter(is).length
  return {
    payments: records.length,
    succeeded: count(({ status }) => status === 'SUCCESS'),
    failed: count(({ status }) => status === 'FAILED'),
    flagged: count(({ status, needsAttention }) => status === 'PENDING' && needsAttention),
    longestMs: Math.max(0, ...delays.map(({ ms }) => ms)),
    lostCalls: count(isLostCall),
    late: delays
      .filter(isLate)
      .map(({ record, ms }) => `${record.reference} was settled ${ms} ms after it could be`),
  }
}

/**
 * From the time at which the payment could be settled: the fault has ended, and queries report the end. A payment that
 * waits to be sent may also expire. Without a charge in the book there is no end to report: the payment is flagged by
 * the schedule of its queries.
 */
function delayOf(record: PaymentRecord, { book, created, stableAt }: Facts): number {
  const { settledAt, adapter, attemptReference, attemptState, key } = record
  if (settledAt === null) return Infinity
  const charge = book.find(adapter, attemptReference)
  const createdAt = created.find(({ planned }) => planned.key === key)?.at ?? 0
  if (!charge && attemptState !== 'not_sent') return 0
  const possibleAt = charge ? (charge.decidedAt ?? Infinity) : createdAt + SEND_SECONDS * 1_000
  return Math.max(0, settledAt - Math.max(stableAt, possibleAt))
}

function limitOf(record: PaymentRecord): number {
  return isLostCall(record) ? LOST_CALL_BOUND_MS : BOUND_MS
}

/** Whether no answer to a request for money was stored within its timeout: the replica had died. */
export function isLostCall({ events }: PaymentRecord): boolean {
  const changes = events.filter(({ from, to }) => from !== to)
  return changes.some(({ to, at }, n) => {
    const next = changes[n + 1]
    return to === 'sending' && next !== undefined && next.at - at >= SEND_TIMEOUT_MS
  })
}

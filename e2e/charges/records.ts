import type { Book } from './book.ts'
import type { SentAttempt } from './requests.ts'
import type { StoredPayment } from './verdict.ts'

/** The payments in the database, read directly. Times are in ms since the epoch, by the database's clock. */

/** Runs a statement on the database of payments; returns the first column, a string per row. */
export type Sql = (text: string) => Promise<string[]>

export interface PaymentRecord extends StoredPayment {
  readonly id: string
  readonly reference: string
  /** The idempotency key, which the driver also sends as metadata. */
  readonly key: string | null
  readonly account: string
  /** The provider's name in the book. */
  readonly adapter: string
  readonly attemptId: string
  readonly attemptReference: string
  readonly attention: string | null
  /** The time of the final status. */
  readonly finalAt: number | null
  /** When the payment had its final status, or needed an operator, for the first time. */
  readonly settledAt: number | null
  /** Callbacks and webhooks that were stored. */
  readonly callbacks: number
  readonly events: readonly AttemptEvent[]
}

interface AttemptEvent {
  readonly from: string
  readonly to: string
  readonly at: number
  readonly cause: string
}

const milliseconds = (time: string) => `round(extract(epoch FROM ${time}) * 1000)::bigint`

const RECORDS = `
  SELECT json_build_object(
    'id', payments.id,
    'reference', 'PAY-' || payments.id,
    'key', metadata ->> 'key',
    'status', payments.status,
    'needsAttention', needs_attention,
    'hasLateSuccess', late_success IS NOT NULL,
    'account', payments.account,
    'adapter', adapter,
    'attemptId', attempt.id,
    'attemptReference', attempt.reference,
    'attemptState', attempt.state,
    'attention', attention,
    'isDue', EXISTS (SELECT FROM attempt_work WHERE attempt_id = attempt.id AND due_at < 'infinity'),
    'finalAt', (
      SELECT ${milliseconds('min(at)')} FROM payment_events
      WHERE payment_id = payments.id AND to_status IN ('SUCCESS', 'FAILED')),
    'settledAt', (
      SELECT ${milliseconds('min(at)')} FROM payment_events
      WHERE payment_id = payments.id AND (to_status IN ('SUCCESS', 'FAILED') OR needs_attention)),
    'callbacks', (
      SELECT count(*) FROM provider_messages
      WHERE attempt_id = attempt.id AND kind IN ('callback', 'webhook')),
    'events', (
      SELECT coalesce(json_agg(json_build_object(
        'from', from_state, 'to', to_state, 'at', ${milliseconds('at')}, 'cause', cause) ORDER BY version), '[]')
      FROM attempt_events WHERE attempt_id = attempt.id)
  )::text
  FROM payments
  JOIN payment_attempts AS attempt ON payment_id = payments.id
  JOIN provider_accounts ON name = payments.account`

/** Payments whose attempt is open, or will be queried again. */
const OPEN = `${RECORDS}
  WHERE closed_at IS NULL OR EXISTS (SELECT FROM attempt_work WHERE attempt_id = attempt.id)`

export async function readRecords(
  sql: Sql,
  which: 'all' | 'open',
): Promise<readonly PaymentRecord[]> {
  const lines = await sql(which === 'all' ? RECORDS : OPEN)
  return lines.map((line) => JSON.parse(line) as PaymentRecord)
}

/** The claims of an attempt, with the requests that the book has of it. */
export function sentAttemptOf(record: PaymentRecord, book: Book): SentAttempt {
  const { adapter, attemptReference, events } = record
  const charge = book.find(adapter, attemptReference)
  const rejectedAt = book.rejectedAt(adapter, attemptReference)
  const accepted = charge ? [charge.acceptedAt, ...charge.repeatsAt] : []
  const changed = events.filter(({ from, to }) => from !== to)
  return {
    claimedAt: changed.filter(({ to }) => to === 'sending').map(({ at }) => at),
    doubtfulAt: changed.find(({ to }) => to === 'in_doubt')?.at,
    requestedAt: [...rejectedAt, ...accepted].toSorted((a, b) => a - b),
    repeats: charge?.repeatsAt.length ?? 0,
  }
}

/** Everything that is known of a payment, for a person who looks for the cause. */
export async function historyOf(sql: Sql, record: PaymentRecord, book: Book): Promise<string> {
  const { id, attemptId, adapter, attemptReference } = record
  const rows = (title: string, columns: string, rest: string) =>
    sql(`SELECT '${title} ' || row_to_json(f)::text FROM (SELECT ${columns} ${rest}) f`)
  const messages =
    'received_at, last_at, times, kind, verdict, outcome, http_status, reading, ' +
    `encode(body, 'escape') AS body`
  const parts = [
    await rows('payment', '*', `FROM payments WHERE id = '${id}'`),
    await rows('event', '*', `FROM payment_events WHERE payment_id = '${id}' ORDER BY version`),
    await rows('attempt', '*', `FROM payment_attempts WHERE id = '${attemptId}'`),
    await rows(
      'change',
      '*',
      `FROM attempt_events WHERE attempt_id = '${attemptId}' ORDER BY version`,
    ),
    await rows('work', '*', `FROM attempt_work WHERE attempt_id = '${attemptId}'`),
    await rows(
      'message',
      messages,
      `FROM provider_messages WHERE attempt_id = '${attemptId}' ORDER BY id`,
    ),
  ]
  const charge = book.find(adapter, attemptReference)
  const rejected = book.rejectedAt(adapter, attemptReference).map((at) => new Date(at))
  const inBook = [`book ${JSON.stringify(charge ?? null)}`, `rejected ${JSON.stringify(rejected)}`]
  return [...parts.flat(), ...inBook].map((line) => `    ${line}`).join('\n')
}

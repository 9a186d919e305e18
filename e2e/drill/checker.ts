import { type Payment, tokenIn } from './client.ts'
import type { Entry, Attempt } from './journal.ts'
import type { EventRow, Records } from './records.ts'

/**
 * Compares the responses that clients received with the database and returns a line for each difference: lost or
 * duplicated effects, and responses that do not match the records.
 *
 * @param entries operations answered before the records were read
 * @param sent keys and webhook ids of all requests sent before, answered or not
 */
export function differences(
  entries: readonly Entry[],
  sent: ReadonlySet<string>,
  records: Records,
): string[] {
  return [
    ...entries.flatMap((entry) =>
      acknowledged(entry).flatMap((attempt) => mismatches(entry, attempt, records)),
    ),
    ...[...records.payments.values()].flatMap((payment) => invalidHistory(payment.id, records)),
    ...duplicates(sent, records),
  ]
}

/** The attempts that were answered with the expected status. */
function acknowledged({ operation, attempts }: Entry): Attempt[] {
  return attempts.filter(({ status }) => status === operation.expectedStatus)
}

function mismatches(entry: Entry, attempt: Attempt, records: Records): string[] {
  const { kind } = entry.operation
  if (kind === 'register') return []
  if (kind === 'login') return lostSession(attempt, records)
  const payment = attempt.body as Payment
  const operation = `${kind} of ${payment.reference} at ${new Date(attempt.at).toISOString()}`
  const row = records.payments.get(payment.id)
  const event = records.events.get(payment.id)?.[payment.version - 1]
  if (!row || !event) return [`lost: ${operation}, acknowledged as version ${payment.version}`]
  const answered = {
    status: payment.status,
    at: Date.parse(payment.updatedAt),
    amount: payment.amount,
  }
  const stored = {
    status: event.to_status,
    at: Date.parse(event.at),
    amount: `${row.amount_minor}`,
  }
  if (JSON.stringify(answered) !== JSON.stringify(stored)) {
    const values = `answered ${JSON.stringify(answered)}, stored ${JSON.stringify(stored)}`
    return [`mismatch: ${operation}: ${values}`]
  }
  const { knownVersion = 0 } = entry.operation
  if (payment.version < knownVersion)
    return [`stale: ${operation} is older than version ${knownVersion}`]
  return wrongEffects(entry, payment, event, records).map((problem) => `${problem}: ${operation}`)
}

/** Whether the effect recorded for the idempotency key or webhook id is that of the operation. */
function wrongEffects(
  { operation }: Entry,
  payment: Payment,
  event: EventRow,
  records: Records,
): string[] {
  if (operation.kind === 'read') return []
  if (operation.kind === 'webhook') {
    const webhook = records.webhooks.get(operation.key ?? '')
    const { status } = operation.request.body as { status: string }
    const isStored = webhook?.payment_id === payment.id && webhook.status === status
    return isStored && webhook.outcome === 'applied' ? [] : ['webhook not stored as applied']
  }
  const route = `${operation.request.method} ${operation.request.path}`
  const keys = records.keys.get(operation.key ?? '') ?? []
  const isStored = keys.length === 1 && keys[0]?.route === route
  const isSame = isStored && keys[0]?.operation_id === event.operation_id
  return isSame ? [] : ['idempotency key has another operation']
}

const ALLOWED_TRANSITIONS = new Set([
  'null INITIATED',
  'INITIATED PENDING',
  'PENDING SUCCESS',
  'PENDING FAILED',
])

/** A payment has one event per version, each an allowed transition, and the last one leads to its status. */
function invalidHistory(id: string, { payments, events }: Records): string[] {
  const history = events.get(id) ?? []
  const payment = payments.get(id)
  const isCounted = history.length === payment?.version
  const isInOrder = history.every(
    ({ version, from_status, to_status }, i) =>
      version === i + 1 &&
      from_status === (history[i - 1]?.to_status ?? null) &&
      ALLOWED_TRANSITIONS.has(`${from_status} ${to_status}`),
  )
  const isLast = history.at(-1)?.to_status === payment?.status
  return isCounted && isInOrder && isLast ? [] : [`invalid history: ${JSON.stringify(history)}`]
}

/** Every event belongs to a key or webhook id that was sent, and each of these has exactly one event. */
function duplicates(sent: ReadonlySet<string>, { events, keys }: Records): string[] {
  const keyOf = new Map([...keys.values()].flat().map((row) => [row.operation_id, row.key]))
  const all = [...events.values()].flat()
  const byKey = Map.groupBy(
    all.filter(({ cause }) => cause !== 'webhook'),
    ({ operation_id }) => keyOf.get(operation_id),
  )
  const byWebhook = Map.groupBy(
    all.filter(({ cause }) => cause === 'webhook'),
    ({ last_webhook_id }) => last_webhook_id ?? undefined,
  )
  return [...byKey, ...byWebhook].flatMap(([key, found]) => {
    if (key === undefined || !sent.has(key)) return [`no request for ${JSON.stringify(found)}`]
    return found.length === 1 ? [] : [`duplicate: ${JSON.stringify(found)}`]
  })
}

function lostSession(attempt: Attempt, { sessions }: Records): string[] {
  const claims = Buffer.from(tokenIn(attempt.body).split('.')[1] ?? '', 'base64url').toString(
    'utf8',
  )
  const { sid } = JSON.parse(claims) as { sid: string }
  return sessions.has(sid) ? [] : [`lost: session ${sid}`]
}

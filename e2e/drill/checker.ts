import { type Payment, tokenIn } from './client.ts'
import type { Entry, Try } from './journal.ts'
import type { EventRow, Records } from './records.ts'

/**
 * Compares every answer that clients saw with the database, and gives a line for each difference: what
 * was acknowledged and is not there, what happened twice, what was told and never was so.
 *
 * @param entries what was answered before the records were read
 * @param sent keys and webhook ids of everything sent until then, answered or not
 */
export function differences(
  entries: readonly Entry[],
  sent: ReadonlySet<string>,
  records: Records,
): string[] {
  return [
    ...entries.flatMap((entry) => answersOf(entry).flatMap((one) => untrue(entry, one, records))),
    ...[...records.payments.values()].flatMap((payment) => illegal(payment.id, records)),
    ...twice(sent, records),
  ]
}

/** Answers that acknowledge or tell something: those with the status that was hoped for. */
function answersOf({ wish, tries }: Entry): Try[] {
  return tries.filter(({ status }) => status === wish.expected)
}

function untrue(entry: Entry, answer: Try, records: Records): string[] {
  const { kind } = entry.wish
  if (kind === 'register') return []
  if (kind === 'login') return lostSession(answer, records)
  const payment = answer.body as Payment
  const what = `${kind} of ${payment.reference} at ${new Date(answer.at).toISOString()}`
  const row = records.payments.get(payment.id)
  const event = records.events.get(payment.id)?.[payment.version - 1]
  if (!row || !event) return [`lost: ${what}, acknowledged as version ${payment.version}`]
  const told = { status: payment.status, at: Date.parse(payment.updatedAt), amount: payment.amount }
  const kept = { status: event.to_status, at: Date.parse(event.at), amount: `${row.amount_minor}` }
  if (JSON.stringify(told) !== JSON.stringify(kept)) {
    return [`untrue: ${what} told ${JSON.stringify(told)}, kept is ${JSON.stringify(kept)}`]
  }
  const { known = 0 } = entry.wish
  if (payment.version < known) return [`stale: ${what} is older than version ${known}`]
  return effect(entry, payment, event, records).map((problem) => `${problem}: ${what}`)
}

/** Whether what the client asked for, under its key or webhook id, is what was done. */
function effect({ wish }: Entry, payment: Payment, event: EventRow, records: Records): string[] {
  if (wish.kind === 'read') return []
  if (wish.kind === 'webhook') {
    const webhook = records.webhooks.get(wish.key ?? '')
    const { status } = wish.call.body as { status: string }
    const isKept = webhook?.payment_id === payment.id && webhook.status === status
    return isKept && webhook.outcome === 'applied' ? [] : ['webhook not kept as applied']
  }
  const route = `${wish.call.method} ${wish.call.path}`
  const keys = records.keys.get(wish.key ?? '') ?? []
  const isKept = keys.length === 1 && keys[0]?.route === route
  return isKept && keys[0]?.operation_id === event.operation_id ? [] : ['not what its key did']
}

const LEGAL = new Set(['null INITIATED', 'INITIATED PENDING', 'PENDING SUCCESS', 'PENDING FAILED'])

/** A payment's events are its versions, each a step that the table allows, ending in its status. */
function illegal(id: string, { payments, events }: Records): string[] {
  const history = events.get(id) ?? []
  const payment = payments.get(id)
  const isCounted = history.length === payment?.version
  const isInOrder = history.every(
    ({ version, from_status, to_status }, i) =>
      version === i + 1 &&
      from_status === (history[i - 1]?.to_status ?? null) &&
      LEGAL.has(`${from_status} ${to_status}`),
  )
  const isLast = history.at(-1)?.to_status === payment?.status
  return isCounted && isInOrder && isLast ? [] : [`illegal history: ${JSON.stringify(history)}`]
}

/** One payment for a key that a client sent, one event for a webhook's id, and nothing else. */
function twice(sent: ReadonlySet<string>, { events, keys }: Records): string[] {
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
    if (key === undefined || !sent.has(key)) return [`nobody asked for ${JSON.stringify(found)}`]
    return found.length === 1 ? [] : [`twice: ${JSON.stringify(found)}`]
  })
}

function lostSession(answer: Try, { sessions }: Records): string[] {
  const claims = Buffer.from(tokenIn(answer.body).split('.')[1] ?? '', 'base64url').toString('utf8')
  const { sid } = JSON.parse(claims) as { sid: string }
  return sessions.has(sid) ? [] : [`lost: session ${sid}`]
}

import { type Behaviour, isSubscribed } from './behaviours.ts'

/** What must hold of the notifications of a run, as pure functions. Times are in ms since the epoch. */

/** A try, as the merchant's server saw it. */
export interface ReceivedTry {
  readonly eventId: string
  readonly at: number
  /** SHA-256 of the body. */
  readonly bodyHash: string
  readonly isVerified: boolean
  /** What the server answered; undefined without an answer. */
  readonly status: number | undefined
  /** What the body says, if it is of a payment. */
  readonly payment?: {
    readonly type: string
    readonly reference: string
    readonly version: number
    readonly status: string
  }
}

/** A committed change of a payment. */
export interface StoredEvent {
  readonly eventId: string
  readonly ownerId: string
  readonly type: string
  readonly reference: string
  readonly version: number
  readonly status: string
}

/** A delivery, with the hash of its notification's body. */
export interface StoredDelivery {
  readonly eventId: string
  readonly endpointId: string
  readonly state: string
  readonly bodyHash: string | null
}

/** An endpoint with what its server received. */
export interface CheckedEndpoint {
  readonly id: string
  readonly ownerId: string
  readonly name: string
  readonly behaviour: Behaviour
  readonly tries: readonly ReceivedTry[]
  /** When it was deleted, or disabled because of 410. */
  readonly endedAt: number | undefined
}

export interface Evidence {
  readonly events: readonly StoredEvent[]
  readonly deliveries: readonly StoredDelivery[]
  readonly endpoints: readonly CheckedEndpoint[]
}

export interface Rule {
  readonly title: string
  /** What violates the rule. */
  problems(evidence: Evidence): string[]
}

/**
 * How long after the end of an endpoint a try may still begin: half of the lease of 50 s, within which a replica sends
 * what it has claimed, and a second for both clocks.
 */
export const LATE_MS = 26_000

export function isSuccess({ status }: ReceivedTry): boolean {
  return status !== undefined && status >= 200 && status < 300
}

const keyOf = (endpointId: string, eventId: string) => `${endpointId} ${eventId}`

function deliveriesByKey({ deliveries }: Evidence) {
  return new Map(deliveries.map((each) => [keyOf(each.endpointId, each.eventId), each] as const))
}

const REACHED: Rule = {
  title: 'every event reached each subscribed endpoint',
  problems(evidence) {
    const stored = deliveriesByKey(evidence)
    const eventsOf = Map.groupBy(evidence.events, ({ ownerId }) => ownerId)
    return evidence.endpoints.flatMap(({ id, ownerId, name, behaviour, tries, endedAt }) => {
      const accepted = new Set(tries.filter(isSuccess).map(({ eventId }) => eventId))
      const expected = (eventsOf.get(ownerId) ?? []).filter(({ type }) =>
        isSubscribed(behaviour.events, type),
      )
      return expected.flatMap(({ eventId, type }) => {
        const state = stored.get(keyOf(id, eventId))?.state
        // The others were written after the end of the endpoint, or wait for it.
        const mayMiss = endedAt !== undefined || behaviour.accepts === 'never'
        const isRight = mayMiss
          ? accepted.has(eventId) ||
            (state === undefined ? endedAt !== undefined : state !== 'delivered')
          : accepted.has(eventId) && state === 'delivered'
        return isRight ? [] : [`${name}: ${type} ${eventId} is ${state ?? 'not in deliveries'}`]
      })
    })
  },
}

const STORED: Rule = {
  title: 'every body was the stored one, of the version of its event',
  problems(evidence) {
    const stored = deliveriesByKey(evidence)
    const events = new Map(evidence.events.map((event) => [event.eventId, event]))
    return everyTry(evidence, ({ id }, { eventId, bodyHash, payment }) => {
      if (stored.get(keyOf(id, eventId))?.bodyHash !== bodyHash) return 'has another body'
      const event = events.get(eventId)
      if (!payment) return undefined
      if (!event) return 'is no committed event'
      const isOwn =
        payment.type === event.type &&
        payment.reference === event.reference &&
        payment.version === event.version &&
        payment.status === event.status
      return isOwn
        ? undefined
        : `says ${JSON.stringify(payment)} instead of ${JSON.stringify(event)}`
    })
  },
}

const SAME_BYTES: Rule = {
  title: 'every try of an event had the same bytes, at all endpoints',
  problems(evidence) {
    const hashes = new Map<string, string>()
    return everyTry(evidence, (_, { eventId, bodyHash }) => {
      const first = hashes.get(eventId) ?? bodyHash
      hashes.set(eventId, first)
      return first === bodyHash ? undefined : 'has other bytes than an earlier try'
    })
  },
}

const SIGNED: Rule = {
  title: 'every try had a valid signature',
  problems: (evidence) =>
    everyTry(evidence, (_, { isVerified }) => (isVerified ? undefined : 'has no valid signature')),
}

const ENDED: Rule = {
  title: 'no try began after its endpoint was deleted or gone',
  problems: (evidence) =>
    everyTry(evidence, ({ endedAt = Infinity }, { at }) =>
      at > endedAt + LATE_MS ? `began ${at - endedAt} ms after the end` : undefined,
    ),
}

const PENDING: Rule = {
  title: 'only endpoints that withhold 2xx have pending deliveries',
  problems({ endpoints, deliveries }) {
    const pending = deliveries.filter(({ state }) => state === 'pending')
    const counts = Map.groupBy(pending, ({ endpointId }) => endpointId)
    return endpoints
      .filter(({ id, behaviour }) => behaviour.accepts === 'eventually' && counts.has(id))
      .map(({ id, name }) => `${name}: ${counts.get(id)?.length} pending`)
  },
}

export const RULES: readonly Rule[] = [REACHED, STORED, SAME_BYTES, SIGNED, ENDED, PENDING]

function everyTry(
  { endpoints }: Evidence,
  problem: (endpoint: CheckedEndpoint, received: ReceivedTry) => string | undefined,
): string[] {
  return endpoints.flatMap((endpoint) =>
    endpoint.tries.flatMap((received) => {
      const found = problem(endpoint, received)
      return found === undefined ? [] : [`${endpoint.name}: ${received.eventId} ${found}`]
    }),
  )
}

/** Tries that an endpoint got after it had answered one of the same event with 2xx. */
export function duplicates(tries: readonly ReceivedTry[]): number {
  const accepted = new Set<string>()
  let count = 0
  for (const received of tries) {
    if (accepted.has(received.eventId)) count++
    else if (isSuccess(received)) accepted.add(received.eventId)
  }
  return count
}

import type { Draw } from '../charges/draw.ts'

/** How the servers of merchants answer, as data and a function of the seed, the event and the number of its try. */

export type Answer =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  /** 200 with 10 MB. */
  | { readonly kind: 'large' }
  /** No answer, on an open connection. */
  | { readonly kind: 'hang' }
  /** The connection is reset after the request. */
  | { readonly kind: 'reset' }

export interface Behaviour {
  /** `eventually`: each event gets 2xx; `never`: none does; `gone`: 410 from some time on. */
  readonly accepts: 'eventually' | 'never' | 'gone'
  /** Names of events. */
  readonly events: readonly string[]
  answer(draw: Draw, eventId: string, tries: number): Answer
}

const OK: Answer = { kind: 'status', status: 200 }
const PAYMENTS = ['payment.*']
/** Of the seconds that `Retry-After` states, a scaled service waits a part. */
const RETRY_AFTER_SECONDS = '300'
/** Tries of an event that fail. Each further one is later by an hour and more. */
const MAX_FAILED = 2
/** Requests that an endpoint answers before it is gone. */
const GONE_PART = 0.02

/** The first tries of an event fail, of a part of all events. */
function atFirst(failed: Answer): Behaviour {
  return {
    accepts: 'eventually',
    events: PAYMENTS,
    answer(draw, eventId, tries) {
      const failures = draw.whole(0, MAX_FAILED, 'failures', eventId)
      return tries <= failures ? failed : OK
    },
  }
}

/** No event gets 2xx. */
function never(answer: Answer): Behaviour {
  return { accepts: 'never', events: PAYMENTS, answer: () => answer }
}

export const BEHAVIOURS = {
  'answers 200': { accepts: 'eventually', events: ['*'], answer: () => OK },
  'answers 200 to successes only': {
    accepts: 'eventually',
    events: ['payment.succeeded', 'payment.late_success'],
    answer: () => OK,
  },
  'answers 500 for a while': atFirst({ kind: 'status', status: 500 }),
  'answers 429': atFirst({
    kind: 'status',
    status: 429,
    headers: { 'retry-after': RETRY_AFTER_SECONDS },
  }),
  'resets connections': atFirst({ kind: 'reset' }),
  'answers 10 MB': { accepts: 'eventually', events: PAYMENTS, answer: () => ({ kind: 'large' }) },
  'answers 410': {
    accepts: 'gone',
    events: PAYMENTS,
    answer: (draw, eventId) =>
      draw.fraction('gone', eventId) < GONE_PART ? { kind: 'status', status: 410 } : OK,
  },
  'never answers': never({ kind: 'hang' }),
  'redirects to a forbidden address': never({
    kind: 'status',
    status: 302,
    headers: { location: 'http://169.254.169.254/latest/meta-data/' },
  }),
  'is down for simulated hours': { accepts: 'eventually', events: PAYMENTS, answer: () => OK },
  'is deleted': { accepts: 'eventually', events: PAYMENTS, answer: () => OK },
} as const satisfies Record<string, Behaviour>

export type BehaviourName = keyof typeof BEHAVIOURS
export const BEHAVIOUR_NAMES = Object.keys(BEHAVIOURS) as BehaviourName[]

/** Whether a subscription contains an event: its name, `payment.*` or `*`. */
export function isSubscribed(events: readonly string[], type: string): boolean {
  return events.some(
    (each) =>
      each === '*' || each === type || (each === 'payment.*' && type.startsWith('payment.')),
  )
}

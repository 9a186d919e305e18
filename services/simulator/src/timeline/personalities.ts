import type { DeclineReason, Outcome, Step, Timeline } from './timeline.js'

/** What a personality may depend on. */
export interface Facts {
  /** The amount that the merchant asked for, in major units. */
  readonly amount: string
  /** How long the payer takes to approve or decline, unless the personality has a time of its kind. */
  readonly payerMs: number
  /** The provider's own code for the failure of a charge that is declined. */
  readonly code?: string
}

/** No charge exists, and a repetition of the request is judged again. */
export type Rejection = 'refused' | 'busy'

interface Definition {
  /** The last two digits of the phone numbers with this personality. */
  readonly number: number
  /** The share in the mix `all`. */
  readonly weight: number
  readonly text: string
  readonly plan: Rejection | ((facts: Facts) => Timeline)
}

const SECOND = 1_000
const MINUTE = 60 * SECOND
/** MTN's prompt lives five minutes. */
const PROMPT_MS = 5 * MINUTE
/** Slower than the timeout that a client usually has. */
const SLOW_ANSWER_MS = 12 * SECOND
const SLOW_QUERY_MS = 3 * SECOND

const VISIBLE: Step = { atMs: 0, type: 'visible' }
const ACCEPTED = { kind: 'accepted', afterMs: 0 } as const

const outcome = (atMs: number, outcome: Outcome): Step => ({ atMs, type: 'outcome', outcome })
const callback = (atMs: number, outcome: Outcome): Step => ({ atMs, type: 'callback', outcome })
const paid = ({ amount }: Facts): Outcome => ({ status: 'paid', amount })
const declined = (reason: DeclineReason, { code }: Facts): Outcome => ({
  status: 'declined',
  reason,
  ...(code !== undefined && { code }),
})
// A script may set a payer's time that is longer than another time of the timeline.
const timeline = (...steps: readonly Step[]): Timeline => ({
  answer: ACCEPTED,
  queryMs: 0,
  steps: steps.toSorted((a, b) => a.atMs - b.atMs),
})
/** A final outcome with its callback. */
const settles = (atMs: number, result: Outcome) =>
  timeline(VISIBLE, outcome(atMs, result), callback(atMs, result))
/** Unknown to status queries for some minutes, then paid, without a callback. */
const hidden = (minutes: number) => (facts: Facts) =>
  timeline(outcome(facts.payerMs, paid(facts)), { atMs: minutes * MINUTE, type: 'visible' })

/** One major unit more than the merchant asked for. */
export function oneMore(amount: string): string {
  const [units = '0', ...fraction] = amount.split('.')
  return [BigInt(units) + 1n, ...fraction].join('.')
}

export const PERSONALITIES = {
  approve: {
    number: 0,
    weight: 30,
    text: 'The payer approves. A callback reports it.',
    plan: (facts) => settles(facts.payerMs, paid(facts)),
  },
  decline: {
    number: 1,
    weight: 6,
    text: 'The payer rejects the prompt. A callback reports it.',
    plan: (facts) => settles(facts.payerMs, declined('rejected', facts)),
  },
  'insufficient-funds': {
    number: 2,
    weight: 6,
    text: 'The payer has not enough money. A callback reports it.',
    plan: (facts) => settles(facts.payerMs, declined('insufficient_funds', facts)),
  },
  expire: {
    number: 3,
    weight: 3,
    text: 'The prompt expires after 5 minutes. A callback reports it.',
    plan: (facts) => settles(PROMPT_MS, declined('expired', facts)),
  },
  slow: {
    number: 4,
    weight: 3,
    text: 'As `approve`, but the request is answered after 12 s and each status query after 3 s.',
    plan: (facts) => ({
      ...settles(facts.payerMs, paid(facts)),
      answer: { kind: 'accepted', afterMs: SLOW_ANSWER_MS },
      queryMs: SLOW_QUERY_MS,
    }),
  },
  'callback-lost': {
    number: 5,
    weight: 6,
    text: 'Paid, without a callback.',
    plan: (facts) => timeline(VISIBLE, outcome(facts.payerMs, paid(facts))),
  },
  'callback-twice': {
    number: 6,
    weight: 6,
    text: 'Paid, with two identical callbacks at the same instant.',
    plan: (facts) =>
      timeline(
        VISIBLE,
        outcome(facts.payerMs, paid(facts)),
        callback(facts.payerMs, paid(facts)),
        callback(facts.payerMs, paid(facts)),
      ),
  },
  'callback-early': {
    number: 7,
    weight: 6,
    text: 'Paid at once. The callback is sent before the request is answered.',
    plan: (facts) => ({
      ...settles(0, paid(facts)),
      answer: { ...ACCEPTED, isAfterCallback: true },
    }),
  },
  'callback-out-of-order': {
    number: 8,
    weight: 6,
    text: 'Paid, reported by a callback 5 s before status queries report it. A pending callback follows.',
    plan: (facts) =>
      timeline(
        VISIBLE,
        callback(facts.payerMs, paid(facts)),
        callback(facts.payerMs + 2 * SECOND, { status: 'pending' }),
        outcome(facts.payerMs + 5 * SECOND, paid(facts)),
      ),
  },
  'wrong-amount': {
    number: 9,
    weight: 2,
    text: 'The payer pays one unit of the currency more than the merchant asked for.',
    plan: (facts) => settles(facts.payerMs, { status: 'paid', amount: oneMore(facts.amount) }),
  },
  'error-though-paid': {
    number: 10,
    weight: 4,
    text: 'The request is answered with 500, and the charge is paid. No callback.',
    plan: (facts) => ({
      ...timeline(VISIBLE, outcome(facts.payerMs, paid(facts))),
      answer: { kind: 'error', afterMs: 0 },
    }),
  },
  'reset-though-paid': {
    number: 11,
    weight: 4,
    text: 'The connection is closed without a response, and the charge is paid. A callback reports it.',
    plan: (facts) => ({
      ...settles(facts.payerMs, paid(facts)),
      answer: { kind: 'reset', afterMs: 0 },
    }),
  },
  'error-not-charged': {
    number: 12,
    weight: 2,
    text: 'The request is answered with 500. Status queries never find the charge, and it is never paid.',
    plan: () => ({ ...timeline(), answer: { kind: 'error', afterMs: 0 } }),
  },
  unknown: {
    number: 13,
    weight: 2,
    text: 'Accepted, but status queries never find the charge, and it is never paid.',
    plan: () => timeline(),
  },
  'unknown-though-paid': {
    number: 14,
    weight: 1,
    text: 'Accepted and paid, but status queries never find the charge. No callback.',
    plan: (facts) => timeline(outcome(facts.payerMs, paid(facts))),
  },
  'unknown-9-minutes': {
    number: 15,
    weight: 2,
    text: 'Paid, but status queries find the charge only after 9 minutes. No callback.',
    plan: hidden(9),
  },
  'unknown-11-minutes': {
    number: 16,
    weight: 2,
    text: 'Paid, but status queries find the charge only after 11 minutes. No callback.',
    plan: hidden(11),
  },
  'unknown-60-minutes': {
    number: 17,
    weight: 1,
    text: 'Paid, but status queries find the charge only after 60 minutes. No callback.',
    plan: hidden(60),
  },
  'paid-after-expiry': {
    number: 18,
    weight: 2,
    text: 'Failed as expired after 5 minutes, then paid after 15 minutes. A callback reports each.',
    plan: (facts) =>
      timeline(
        VISIBLE,
        outcome(PROMPT_MS, declined('expired', facts)),
        callback(PROMPT_MS, declined('expired', facts)),
        outcome(3 * PROMPT_MS, paid(facts)),
        callback(3 * PROMPT_MS, paid(facts)),
      ),
  },
  never: {
    number: 19,
    weight: 2,
    text: 'Pending forever. No callback.',
    plan: () => timeline(VISIBLE),
  },
  refuse: {
    number: 20,
    weight: 2,
    text: 'The request is refused, and no charge exists.',
    plan: 'refused',
  },
  busy: {
    number: 21,
    weight: 2,
    text: 'The first request is answered with 429, and no charge exists. The next one is approved.',
    plan: 'busy',
  },
} as const satisfies Record<string, Definition>

export type Personality = keyof typeof PERSONALITIES

export const PERSONALITY_NAMES = Object.keys(PERSONALITIES) as Personality[]

export function isPersonality(name: unknown): name is Personality {
  return typeof name === 'string' && Object.hasOwn(PERSONALITIES, name)
}

/**
 * Numbers with a personality: +256772900000 to +256772900099 and, for Airtel, +256752900000 to +256752900099.
 *
 * @param phone digits of E.164, without plus
 */
export function personalityOf(phone: string): Personality | undefined {
  const [, digits] = /^2567[57]29000(\d\d)$/.exec(phone) ?? []
  return PERSONALITY_NAMES.find((name) => PERSONALITIES[name].number === Number(digits))
}

/**
 * The states of an attempt, each with those that may follow. An attempt in doubt is never sent again: an answer of the
 * provider or a person ends it.
 */
export const ATTEMPT_STATES = {
  /** Stored. Nothing was sent. */
  queued: ['sending', 'not_sent', 'in_doubt'],
  /** Claimed by a sender: a request may be on its way. `queued` and `not_sent` need proof that none was received. */
  sending: ['accepted', 'in_doubt', 'queued', 'succeeded', 'declined', 'not_sent'],
  /** The provider has the charge. */
  accepted: ['succeeded', 'declined'],
  /** The provider may have the charge. */
  in_doubt: ['accepted', 'succeeded', 'declined'],
  succeeded: [],
  declined: [],
  /** The provider has no charge, for certain. */
  not_sent: [],
} as const satisfies Record<string, readonly string[]>

export type AttemptState = keyof typeof ATTEMPT_STATES

export const ATTEMPT_STATE_NAMES = Object.keys(ATTEMPT_STATES) as AttemptState[]

const next: Readonly<Record<AttemptState, readonly AttemptState[]>> = ATTEMPT_STATES

export function isClosed(state: AttemptState): boolean {
  return next[state].length === 0
}

/** The states from which an attempt may change to `to`. */
export function statesBefore(to: AttemptState): AttemptState[] {
  return ATTEMPT_STATE_NAMES.filter((from) => next[from].includes(to))
}

/** How an operator can end an attempt, each with the states in which that is possible. */
export const RESOLUTIONS = {
  succeeded: ['sending', 'accepted', 'in_doubt'],
  declined: ['sending', 'accepted', 'in_doubt'],
  // The provider states to the operator that it has no charge, or nothing was sent yet.
  not_sent: ['queued', 'in_doubt'],
} as const satisfies Partial<Record<AttemptState, readonly AttemptState[]>>

export type ResolvedState = keyof typeof RESOLUTIONS

export const RESOLVED_STATES = Object.keys(RESOLUTIONS) as ResolvedState[]

/** Why an operator must look at an attempt. */
export const ATTENTIONS = {
  deadline: 'the provider has not decided after the last query',
  vanished: 'the provider does not know the charge, long after it was sent',
  amount_mismatch: 'the provider reports a success with another amount or currency',
  duplicate_transaction: 'the provider’s transaction id belongs to another payment',
  late_success: 'the provider reports a success after the payment has failed',
  late_failure: 'the provider reports a failure after an operator has stated a success',
  no_reference: 'the provider’s reference is unknown, so that the charge can’t be queried',
  unexpected_success: 'the provider reports a success of a charge that was not sent',
} as const

export type Attention = keyof typeof ATTENTIONS

/** The reasons that an answer is missing. They don't hold if another replica may have received one. */
export const MISSING_ANSWERS = [
  'deadline',
  'vanished',
  'no_reference',
] as const satisfies readonly Attention[]

/** The operations that change an attempt. */
export const ATTEMPT_CAUSES = [
  'claim',
  'response',
  'query',
  'callback',
  'webhook',
  'expiry',
  'operator',
  'recovery',
] as const
export type AttemptCause = (typeof ATTEMPT_CAUSES)[number]

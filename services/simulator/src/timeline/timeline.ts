/**
 * What happens to a charge, and when, as data. It is decided once, when the simulator accepts the charge, and stored
 * with it: a restarted simulator continues from the same list.
 */

/** What a provider reports of a charge. */
export type Outcome =
  | { readonly status: 'pending' }
  /** `amount` is what the payer paid, which is not always what the merchant asked for. */
  | { readonly status: 'paid'; readonly amount: string }
  /** `code` replaces the provider's own code for the reason. */
  | { readonly status: 'declined'; readonly reason: DeclineReason; readonly code?: string }

export type DeclineReason = 'rejected' | 'expired' | 'insufficient_funds'

/** `atMs` counts from the moment at which the charge was accepted. */
export type Step = { readonly atMs: number } & (
  | { readonly type: 'visible' }
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  | { readonly type: 'callback'; readonly outcome: Outcome }
)

/** The response to the request that creates a charge. */
export interface Answer {
  /** `reset` closes the connection without a response. */
  readonly kind: 'accepted' | 'error' | 'reset'
  readonly afterMs: number
  /** The callbacks that are due at once have been answered before this response is sent. */
  readonly isAfterCallback?: boolean
}

export interface Timeline {
  readonly answer: Answer
  /** How long each status query of the charge takes. */
  readonly queryMs: number
  /** In the order of `atMs`. */
  readonly steps: readonly Step[]
}

export interface State {
  /** Whether a status query finds the charge. */
  readonly isVisible: boolean
  readonly outcome: Outcome
}

const INITIAL: State = { isVisible: false, outcome: { status: 'pending' } }

/** The state after the first `done` steps. */
export function stateAfter({ steps }: Timeline, done: number): State {
  return steps.slice(0, done).reduce<State>((state, step) => {
    if (step.type === 'visible') return { ...state, isVisible: true }
    return step.type === 'outcome' ? { ...state, outcome: step.outcome } : state
  }, INITIAL)
}

/** How many steps are due after `elapsedMs`. */
export function dueSteps({ steps }: Timeline, elapsedMs: number): number {
  const later = steps.findIndex(({ atMs }) => atMs > elapsedMs)
  return later < 0 ? steps.length : later
}

/** All times multiplied by `factor`. */
export function scaled({ answer, queryMs, steps }: Timeline, factor: number): Timeline {
  const scale = (ms: number) => Math.round(ms * factor)
  return {
    answer: { ...answer, afterMs: scale(answer.afterMs) },
    queryMs: scale(queryMs),
    steps: steps.map((step) => ({ ...step, atMs: scale(step.atMs) })),
  }
}

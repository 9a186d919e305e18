/**
 * The statuses of a payment and the statuses that may follow each. The types and the arguments of the
 * statements that check transitions are derived from this literal. A database trigger also prevents changes
 * of terminal statuses.
 */
export const TRANSITIONS = {
  INITIATED: ['PENDING'],
  PENDING: ['SUCCESS', 'FAILED'],
  SUCCESS: [],
  FAILED: [],
} as const satisfies Record<string, readonly string[]>

export type Status = keyof typeof TRANSITIONS

export const STATUSES = Object.keys(TRANSITIONS) as Status[]

const next: Readonly<Record<Status, readonly Status[]>> = TRANSITIONS

export const INITIAL_STATUS: Status = 'INITIATED'

/** Whether no status can follow. */
export function isTerminal(status: Status): boolean {
  return next[status].length === 0
}

/** The statuses from which `to` is one transition away. */
export function statusesBefore(to: Status): Status[] {
  return STATUSES.filter((from) => next[from].includes(to))
}

/**
 * The statuses from which more than one transition leads to `to`: a webhook with `to` is premature then. In a
 * status that neither function returns, `to` has been reached or can't be reached any more, so the webhook is
 * superseded.
 */
export function earlierStatuses(to: Status): Status[] {
  return STATUSES.filter(
    (from) => !next[from].includes(to) && next[from].some((via) => leadsTo(via, to)),
  )
}

function leadsTo(from: Status, to: Status): boolean {
  return next[from].some((via) => via === to || leadsTo(via, to))
}

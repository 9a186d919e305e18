/**
 * The life of a payment: which status may follow which. Everything that speaks of a status is derived
 * from this literal; the database holds the same rule in its guarded statements, which get their
 * arguments from here, and freezes the terminal ones by a trigger.
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

/** A payment begins here. */
export const FIRST: Status = 'INITIATED'

/** Whether nothing can follow. */
export function isTerminal(status: Status): boolean {
  return next[status].length === 0
}

/** The statuses from which `to` is one step. */
export function statusesBefore(to: Status): Status[] {
  return STATUSES.filter((from) => next[from].includes(to))
}

/**
 * The statuses from which `to` can still be reached, but not by one step: news of it comes too early.
 * From every status in neither list it is past: it was reached already, or never can be.
 */
export function statusesFarBefore(to: Status): Status[] {
  return STATUSES.filter(
    (from) => !next[from].includes(to) && next[from].some((via) => leadsTo(via, to)),
  )
}

function leadsTo(from: Status, to: Status): boolean {
  return next[from].some((via) => via === to || leadsTo(via, to))
}

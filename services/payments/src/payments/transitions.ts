import { Problem } from '@malipo/kit/http/problem'
import { PROBLEMS } from '../problems.js'

/** The statuses that may follow each status. A database trigger also rejects changes to terminal payments. */
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

export function isTerminal(status: Status): boolean {
  return next[status].length === 0
}

/** The statuses from which a single transition leads to `to`. */
export function statusesBefore(to: Status): Status[] {
  return STATUSES.filter((from) => next[from].includes(to))
}

/**
 * The statuses from which more than one transition is needed to reach `to`; in these, a webhook with status
 * `to` is premature. If neither function returns the payment's status, the payment has reached `to` or can no
 * longer reach it, so the webhook is superseded.
 */
export function earlierStatuses(to: Status): Status[] {
  return STATUSES.filter(
    (from) => !next[from].includes(to) && next[from].some((via) => leadsTo(via, to)),
  )
}

function leadsTo(from: Status, to: Status): boolean {
  return next[from].some((via) => via === to || leadsTo(via, to))
}

/**
 * The problem for a transition that the database rejected.
 *
 * @param responseStatus 400 or 412
 * @param current the payment's status and version when the database decided
 */
export function rejectionOf(
  responseStatus: number,
  current: { readonly status: Status; readonly version: number },
  to: Status,
): Problem {
  return responseStatus === 412
    ? new Problem(PROBLEMS.versionChanged, `The payment is at version ${current.version}.`)
    : transitionNotAllowed(current.status, to)
}

export function transitionNotAllowed(from: Status, to: Status): Problem {
  const allowed = TRANSITIONS[from].join(' or ')
  const hint = allowed ? `From ${from}, only ${allowed} is allowed.` : `${from} is final.`
  const detail = `Transition from ${from} to ${to} is not allowed. ${hint}`
  return new Problem(PROBLEMS.transition, detail)
}

import { Problem } from '@malipo/kit/http/problem'
import { PROBLEMS } from '../problems.js'
import { type Status, TRANSITIONS } from './transitions.js'

/** Rejections of a transition. The database decides on them, and they are stored with the Idempotency-Key. */

/**
 * @param responseStatus 400 or 412, which the statement chose by the payment's `current` status and version
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
  return new Problem(
    PROBLEMS.transition,
    `Transition from ${from} to ${to} is not allowed. ${hint}`,
  )
}

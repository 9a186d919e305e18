import type { Identity } from './local-token-cache.js'
import type { Caller } from './scopes.js'

/** The outcomes of a check. `throttled`: the request's address has sent too many rejected tokens. */
export const OUTCOMES = ['hit', 'miss', 'stale', 'rejected', 'throttled', 'unavailable'] as const
export type Outcome = (typeof OUTCOMES)[number]

export type CheckResult =
  | { readonly kind: 'accepted'; readonly caller: Caller }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'throttled'; readonly retryAfterSeconds: number }
  | { readonly kind: 'unavailable' }

/** The result of a check, and the outcome that the metrics count. */
export interface Decision {
  readonly outcome: Outcome
  readonly result: CheckResult
}

export const REJECTED: Decision = { outcome: 'rejected', result: { kind: 'rejected' } }
export const UNAVAILABLE: Decision = { outcome: 'unavailable', result: { kind: 'unavailable' } }

/** Accepts a token unless its session was revoked, for example during the wait for Redis or auth. */
export function accept(outcome: Outcome, { session, caller }: Identity): Decision {
  if (session.revokedAt !== undefined) return REJECTED
  session.acceptedAt = Date.now()
  return { outcome, result: { kind: 'accepted', caller } }
}

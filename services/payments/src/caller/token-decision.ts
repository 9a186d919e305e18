import type { Validation } from './auth-client.js'
import type { Identity } from './local-token-cache.js'
import type { Caller } from './scopes.js'
import type { RedisState } from './session-proof.js'

/** The outcomes of a check. `throttled`: the request's address has sent too many rejected tokens. */
export const OUTCOMES = ['hit', 'miss', 'stale', 'rejected', 'throttled', 'unavailable'] as const
export type Outcome = (typeof OUTCOMES)[number]

export type CheckResult =
  | { readonly kind: 'accepted'; readonly caller: Caller }
  | { readonly kind: 'rejected' }
  /** An API key of an installation in another mode. */
  | { readonly kind: 'wrong-mode' }
  | { readonly kind: 'throttled'; readonly retryAfterSeconds: number }
  | { readonly kind: 'unavailable' }

/** The result of a check, and the outcome that the metrics count. */
export interface Decision {
  readonly outcome: Outcome
  readonly result: CheckResult
}

export const REJECTED: Decision = { outcome: 'rejected', result: { kind: 'rejected' } }
export const UNAVAILABLE: Decision = { outcome: 'unavailable', result: { kind: 'unavailable' } }

/**
 * What auth answered. `valid` was received within 750 ms of the call: a revocation takes effect within a
 * second, so the answer may be used although Redis does not confirm it. `late` was received later.
 */
export type AuthState = 'not asked' | 'valid' | 'late' | 'rejected' | 'unavailable'

/** Maximum time from a call to auth to the use of its result without a confirmation by Redis. */
export const RECENT_MS = 750

/** @param ageMs the time since the call; `circuit open`: auth was not called, because it fails repeatedly */
export function authState(
  { kind }: { readonly kind: Validation['kind'] | 'circuit open' },
  ageMs: number,
): AuthState {
  if (kind === 'circuit open') return 'unavailable'
  return kind === 'valid' && ageMs >= RECENT_MS ? 'late' : kind
}

export type Verdict = 'ask' | Exclude<Outcome, 'throttled'>

/**
 * The decision on a token, by auth's answer and by what Redis shows afterwards. `hit`, `miss` and `stale` accept
 * it. No cell accepts a token by the absence of anything in Redis, unless auth has just accepted it.
 */
export const VERDICTS: Readonly<Record<AuthState, Readonly<Record<RedisState, Verdict>>>> = {
  'not asked': {
    revoked: 'rejected',
    fresh: 'hit',
    stale: 'ask',
    proven: 'ask',
    none: 'ask',
    silent: 'ask',
  },
  valid: {
    revoked: 'rejected',
    fresh: 'miss',
    stale: 'miss',
    proven: 'miss',
    none: 'miss',
    silent: 'miss',
  },
  late: {
    revoked: 'rejected',
    fresh: 'miss',
    stale: 'miss',
    proven: 'miss',
    none: 'unavailable',
    silent: 'unavailable',
  },
  rejected: {
    revoked: 'rejected',
    fresh: 'rejected',
    stale: 'rejected',
    proven: 'rejected',
    none: 'rejected',
    silent: 'rejected',
  },
  unavailable: {
    revoked: 'rejected',
    fresh: 'stale',
    stale: 'stale',
    proven: 'unavailable',
    none: 'unavailable',
    silent: 'unavailable',
  },
}

/** Accepts a token unless its session was revoked, for example during the wait for Redis or auth. */
export function accept(outcome: 'hit' | 'miss' | 'stale', { session, caller }: Identity): Decision {
  if (session.revokedAt !== undefined) return REJECTED
  session.acceptedAt = Date.now()
  return { outcome, result: { kind: 'accepted', caller } }
}

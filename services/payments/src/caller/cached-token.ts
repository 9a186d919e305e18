import type { Claims } from './auth-client.js'
import type { Proof } from './session-proof.js'

/** The cache entry of a token or API key that auth accepted. Replicas share it through Redis. */
export interface CachedToken extends Claims, Proof {
  /** Redis' time just before the call to auth, so that an entry never appears younger than it is. */
  readonly at: number
}

export interface CacheTimes {
  readonly ttlMs: number
  readonly staleMs: number
}

/** The maximum tolerated difference between auth's clock, which sets `exp`, and the clock of the database of payments. */
export const CLOCK_SKEW_MS = 30_000

/** An entry as stored. Without `merchant`, it is the `sub`, as of all users and keys so far. */
export type StoredToken = Omit<CachedToken, 'merchant'> & Partial<Pick<CachedToken, 'merchant'>>

/** How long the caches may use what expires at `exp`: not in the last 30 s. */
export function usableMs(exp: number | null, nowMs: number): number {
  return exp === null ? Infinity : exp * 1000 - nowMs - CLOCK_SKEW_MS
}

/** The time for which Redis stores an entry; 0 or less: not stored. `nowMs` is by the database's clock. */
export function cacheLifetimeMs(exp: number | null, nowMs: number, { ttlMs, staleMs }: CacheTimes) {
  return Math.min(Math.max(ttlMs, staleMs), usableMs(exp, nowMs))
}

/** A `fresh` entry is used without a call to auth, a `stale` entry only while auth is unavailable. */
export type Freshness = 'fresh' | 'stale' | 'unusable'

export function freshness(
  { at, exp }: Pick<CachedToken, 'at' | 'exp'>,
  clocks: { readonly redisMs: number; readonly ownMs: number },
  { ttlMs, staleMs }: CacheTimes,
): Freshness {
  const ageMs = clocks.redisMs - at
  // A negative age means that Redis' clock was set back, so the real age is unknown.
  if (ageMs < 0 || usableMs(exp, clocks.ownMs) <= 0) return 'unusable'
  if (ageMs < ttlMs) return 'fresh'
  return ageMs < staleMs ? 'stale' : 'unusable'
}

/** Parses an entry's JSON; undefined if it is malformed, as an entry from another release may be. */
export function parseCachedToken(json: string): CachedToken | undefined {
  try {
    const entry = JSON.parse(json) as Partial<CachedToken> | null
    const { sub, merchant = sub, sid, scope, proof, dataset, exp, at } = entry ?? {}
    const hasStrings = [sub, merchant, sid, scope, proof, dataset].every(
      (text) => typeof text === 'string',
    )
    const hasTimes = Number.isFinite(at) && (exp === null || Number.isFinite(exp))
    return hasStrings && hasTimes ? ({ ...entry, merchant } as CachedToken) : undefined
  } catch {
    return undefined
  }
}

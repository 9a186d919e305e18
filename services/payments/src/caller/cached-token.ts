import type { Claims } from './auth-client.js'

/** The cache entry of a token that auth accepted, as the replicas share it through Redis. */
export interface CachedToken extends Claims {
  /** Just before the call to auth, by Redis' clock: an entry never appears younger than it is. */
  readonly at: number
  /** The generation of the cache that the entry belongs to; see `TokenCache`. */
  readonly generation: string
}

export interface CacheTimes {
  readonly ttlMs: number
  readonly staleMs: number
}

/** Auth's clock, which sets `exp`, and this process's clock may differ by this much. */
export const CLOCK_SKEW_MS = 30_000

/** How long Redis stores an entry, if positive. `nowMs` is by this process's clock. */
export function cacheLifetimeMs(exp: number, nowMs: number, { ttlMs, staleMs }: CacheTimes) {
  return Math.min(Math.max(ttlMs, staleMs), exp * 1000 - nowMs - CLOCK_SKEW_MS)
}

/** `fresh`: used without a call to auth. `stale`: used only while auth is unavailable. */
export type Freshness = 'fresh' | 'stale' | 'unusable'

export function freshness(
  { at, exp }: Pick<CachedToken, 'at' | 'exp'>,
  clocks: { readonly redisMs: number; readonly ownMs: number },
  { ttlMs, staleMs }: CacheTimes,
): Freshness {
  const ageMs = clocks.redisMs - at
  // A negative age means that Redis' clock went back, so the age is unknown.
  if (ageMs < 0 || clocks.ownMs >= exp * 1000 - CLOCK_SKEW_MS) return 'unusable'
  if (ageMs < ttlMs) return 'fresh'
  return ageMs < staleMs ? 'stale' : 'unusable'
}

/** Parses an entry's JSON; undefined if it is malformed, since another release may have written it. */
export function parseCachedToken(json: string): CachedToken | undefined {
  try {
    const entry = JSON.parse(json) as Partial<CachedToken> | null
    const { sub, sid, scope, generation, exp, at } = entry ?? {}
    const hasStrings = [sub, sid, scope, generation].every((claim) => typeof claim === 'string')
    const hasTimes = [exp, at].every((time) => Number.isFinite(time))
    return hasStrings && hasTimes ? (entry as CachedToken) : undefined
  } catch {
    return undefined
  }
}

import type { Claims } from './auth-client.js'

/**
 * What Redis keeps of a token that auth called valid, and how long it counts. Pure.
 *
 * Times of Redis (`at`, `nowMs` of a look) are of Redis' own clock, so that replicas whose clocks differ
 * agree on an entry's age. `exp` is of auth's clock, and is compared with this process's: they may
 * differ by `SKEW_MS` either way, so an entry is left alone that much before the token ends.
 */
export interface Entry extends Claims {
  /** When auth was asked, at the latest: an answer is never taken for younger than it is. */
  readonly at: number
  /** Which state of Redis it belongs to; see `TokenCache`. */
  readonly generation: string
}

export interface CacheTimes {
  readonly ttlMs: number
  readonly staleMs: number
}

/** How far clocks of two services may be apart. */
export const SKEW_MS = 30_000

/** How long an entry is kept; 0 or less: not at all. `nowMs` is this process's clock. */
export function keptMs(exp: number, nowMs: number, { ttlMs, staleMs }: CacheTimes): number {
  return Math.min(Math.max(ttlMs, staleMs), exp * 1000 - nowMs - SKEW_MS)
}

/** How an entry may be used: without asking auth, only when auth can't be asked, or not at all. */
export function useOf(
  entry: Pick<Entry, 'at' | 'exp'>,
  clocks: { readonly redisMs: number; readonly ownMs: number },
  { ttlMs, staleMs }: CacheTimes,
): 'fresh' | 'stale' | 'none' {
  const ageMs = clocks.redisMs - entry.at
  // Younger than nothing: Redis' clock went back, and the entry's age is not known.
  if (ageMs < 0 || clocks.ownMs >= entry.exp * 1000 - SKEW_MS) return 'none'
  if (ageMs < ttlMs) return 'fresh'
  return ageMs < staleMs ? 'stale' : 'none'
}

/** Redis is shared: what another release wrote there is a miss, not a fault. */
export function parseEntry(text: string): Entry | undefined {
  try {
    const entry = JSON.parse(text) as Partial<Entry> | null
    const { sub, sid, scope, generation, exp, at } = entry ?? {}
    const texts = [sub, sid, scope, generation].every((claim) => typeof claim === 'string')
    const numbers = [exp, at].every((time) => Number.isFinite(time))
    return texts && numbers ? (entry as Entry) : undefined
  } catch {
    return undefined
  }
}

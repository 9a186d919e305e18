import type { Mode } from '../tokens/scopes.js'

/** The longest lifetime of a key in live mode: 365 days. */
const MAX_LIFETIME_MS = 365 * 86_400_000

/** When a key expires, or what is wrong with the requested time. */
export type Expiry = { readonly expiresAt: Date | null } | { readonly message: string }

/**
 * The expiry of a new key. Without a requested time, the lifetime of the replaced key applies, or the longest one.
 *
 * @param lifetimeMs of the replaced key; null if it does not expire, undefined if none is replaced
 */
export function expiryOf(
  requested: Date | undefined,
  lifetimeMs: number | null | undefined,
  { mode, now }: { readonly mode: Mode; readonly now: number },
): Expiry {
  const latest = mode === 'live' ? now + MAX_LIFETIME_MS : Infinity
  if (!requested) {
    const expires = Math.min(now + (lifetimeMs ?? Infinity), latest)
    return { expiresAt: Number.isFinite(expires) ? new Date(expires) : null }
  }
  if (requested.getTime() <= now) return { message: 'must be in the future' }
  if (requested.getTime() > latest) return { message: 'must be at most 365 days away' }
  return { expiresAt: requested }
}

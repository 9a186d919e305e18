import type { Publication } from './redis.js'

/**
 * The format in which services share revoked sessions through Redis. The key `revoked:{sid}` holds the
 * revocation time in decimal milliseconds, and expires after the session's last access token. The channel
 * `revoked` announces each revocation as JSON: `{"sid": string, "at": number}`.
 */
export interface SessionRevocation {
  readonly sid: string
  /** By the issuer's clock. A malformed time is read as 0: the session still counts as revoked. */
  readonly revokedAtMs: number
}

export const REVOCATION_CHANNEL = 'revoked'

/** The key outlives a token signed just before the revocation by a clock 60 s ahead of its reader's. */
export function revocationLifetimeSeconds(accessTokenLifetimeSeconds: number): number {
  return accessTokenLifetimeSeconds + 60
}

export function revocationKey(sid: string): string {
  return `revoked:${sid}`
}

export function formatRevocation(
  { sid, revokedAtMs }: SessionRevocation,
  lifetimeSeconds: number,
): Publication {
  return {
    key: revocationKey(sid),
    value: String(revokedAtMs),
    ttlMs: lifetimeSeconds * 1000,
    message: JSON.stringify({ sid, at: revokedAtMs }),
  }
}

/** Parses the revocation time in a key's value; undefined if the session is not revoked. */
export function parseRevocationValue(value: string | null): number | undefined {
  if (value === null) return undefined
  return /^\d{1,15}$/.test(value) ? Number(value) : 0
}

/** Parses a message from the channel; undefined if it names no session. */
export function parseRevocationMessage(message: string): SessionRevocation | undefined {
  try {
    const { sid, at } = (JSON.parse(message) ?? {}) as { sid?: unknown; at?: unknown }
    if (typeof sid !== 'string') return undefined
    return { sid, revokedAtMs: typeof at === 'number' && at > 0 ? at : 0 }
  } catch {
    return undefined
  }
}

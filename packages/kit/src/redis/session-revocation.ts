import type { Publication } from './redis.js'

/**
 * The format in which services share the states of sessions through Redis. The key `session:{sid}` holds
 * either `revoked:{ms}`, which the issuer writes at a revocation, or a proof: a random string that a reader of
 * tokens creates before it asks the issuer about a token. A revocation replaces the proof, so an earlier
 * answer of the issuer is valid only while the key holds the proof from before the question. Without the key,
 * nothing is known of the session: it is never read as "not revoked".
 *
 * The channel `revoked` announces each revocation as JSON: `{"sid": string, "at": number}`.
 */
export interface SessionRevocation {
  readonly sid: string
  /** By the issuer's clock. A malformed time is read as 0: the session still counts as revoked. */
  readonly revokedAtMs: number
}

/** What the key of a session holds: one of both, or neither if the key is missing. */
export interface SessionValue {
  /** As in `SessionRevocation`; undefined if the session is not known to be revoked. */
  readonly revokedAtMs?: number
  readonly proof?: string
}

export const REVOCATION_CHANNEL = 'revoked'

const REVOKED = 'revoked:'

/** The key outlives a token signed just before the revocation by a clock 60 s ahead of its reader's. */
export function revocationLifetimeSeconds(accessTokenLifetimeSeconds: number): number {
  return accessTokenLifetimeSeconds + 60
}

export function sessionKey(sid: string): string {
  return `session:${sid}`
}

export function formatRevocation(
  { sid, revokedAtMs }: SessionRevocation,
  lifetimeSeconds: number,
): Publication {
  return {
    key: sessionKey(sid),
    value: `${REVOKED}${revokedAtMs}`,
    ttlMs: lifetimeSeconds * 1000,
    message: JSON.stringify({ sid, at: revokedAtMs }),
  }
}

export function parseSessionValue(value: string | null): SessionValue {
  if (value === null) return {}
  if (!value.startsWith(REVOKED)) return { proof: value }
  const time = value.slice(REVOKED.length)
  return { revokedAtMs: /^\d{1,15}$/.test(time) ? Number(time) : 0 }
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

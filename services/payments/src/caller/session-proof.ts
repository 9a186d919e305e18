import type { SessionValue } from '@malipo/kit/redis/session-revocation'

/**
 * Evidence that a session was not revoked when auth was asked: the random string in the session's key before
 * the call, and the data set of Redis that held it. A revocation replaces the string permanently, so auth's answer
 * still holds while the same data set holds the same string. Everything else, such as an evicted key, other
 * data after a failover, or the mark of a revocation, is no evidence.
 */
export interface Proof {
  readonly proof: string
  readonly dataset: string
}

/** What one read of Redis shows of a session. */
export interface SessionRead {
  readonly session: SessionValue
  /** Undefined if Redis is no primary or does not name its data set: then no proof counts. */
  readonly dataset: string | undefined
}

/** The proof that a read shows; undefined if it shows none. */
export function proofIn({ session, dataset }: SessionRead): Proof | undefined {
  return session.proof === undefined || dataset === undefined
    ? undefined
    : { proof: session.proof, dataset }
}

/** Whether a proof from before a call to auth still counts, by a read after the call. */
export function isCurrent({ proof, dataset }: Proof, read: SessionRead): boolean {
  return read.session.proof === proof && read.dataset === dataset
}

/**
 * What Redis shows of a token:
 *
 * - `revoked`: the mark of a revocation
 * - `fresh`, `stale`: an entry that counts, by its age
 * - `proven`: no such entry, but the proof from before the call to auth still counts
 * - `none`: none of these
 * - `silent`: Redis did not respond in time
 */
export type RedisState = 'revoked' | 'fresh' | 'stale' | 'proven' | 'none' | 'silent'

interface Known {
  /** The token's authentic entry. */
  readonly entry?: (Proof & { readonly freshness: 'fresh' | 'stale' | 'unusable' }) | undefined
  /** The proof of the session with which auth last rejected a token that had an entry. */
  readonly refusedProof?: string | undefined
  /** The proof that was read before auth was asked. */
  readonly asked?: Proof | undefined
}

export function redisState(
  read: SessionRead | undefined,
  { entry, refusedProof, asked }: Known,
): RedisState {
  if (!read) return 'silent'
  const { proof, revokedAtMs } = read.session
  if (revokedAtMs !== undefined) return 'revoked'
  if (proof === undefined || proof === refusedProof) return 'none'
  if (entry && entry.freshness !== 'unusable' && isCurrent(entry, read)) return entry.freshness
  return asked && isCurrent(asked, read) ? 'proven' : 'none'
}

/** Decides which key to create and which to drop, so that no valid token is rejected. Pure. */

/** A key of the set. Times are Unix seconds. */
export interface Member {
  readonly kid: string
  readonly signsFrom: number
}

export interface RotationPolicy {
  readonly now: number
  readonly tokenLifetimeSeconds: number
  /** A new key signs after this delay, when every replica has it. */
  readonly signsInSeconds: number
}

/** Clock skew between replicas. */
const SKEW_SECONDS = 60

export interface Change {
  /** The time from which the new key signs; undefined if the newest key does not sign yet. */
  readonly createFrom: number | undefined
  readonly drop: string[]
}

/** Adds a key, unless one is pending, and drops those whose last token has expired. */
export function rotation(keys: readonly Member[], policy: RotationPolicy): Change {
  const isPending = keys.some(({ signsFrom }) => signsFrom > policy.now)
  return {
    createFrom: isPending ? undefined : policy.now + policy.signsInSeconds,
    drop: expiredKeys(keys, policy),
  }
}

/** The keys whose successor has signed for longer than a token lives; never the current or a pending key. */
export function expiredKeys(
  keys: readonly Member[],
  { now, tokenLifetimeSeconds }: RotationPolicy,
): string[] {
  const ordered = keys.toSorted((a, b) => a.signsFrom - b.signsFrom)
  const lastNeeded = ordered.findLastIndex(
    ({ signsFrom }) => signsFrom + tokenLifetimeSeconds + SKEW_SECONDS <= now,
  )
  return ordered.slice(0, Math.max(0, lastNeeded)).map(({ kid }) => kid)
}

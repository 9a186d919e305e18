/** A key of the key set. Times are Unix seconds. */
export interface Member {
  readonly kid: string
  readonly signsFrom: number
}

export interface RotationPolicy {
  readonly now: number
  readonly tokenLifetimeSeconds: number
  /** The delay before a new key signs; by the end of it every replica must have the key. */
  readonly signsInSeconds: number
}

/** Maximum difference between the replicas' clocks. */
const SKEW_SECONDS = 60

/** Adds a key unless one is pending, and drops the keys whose last token has expired. */
export function rotation(keys: readonly Member[], policy: RotationPolicy) {
  const isPending = keys.some(({ signsFrom }) => signsFrom > policy.now)
  return {
    createFrom: isPending ? undefined : policy.now + policy.signsInSeconds,
    drop: expiredKeys(keys, policy),
  }
}

/** The keys that signed no unexpired token: their successor has signed for at least a token's lifetime. */
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

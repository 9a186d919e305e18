/** How a statement takes an idempotency key together with its effect. */

/** The idempotency key of a request, and what its body was. */
export interface Keyed {
  readonly key: string
  /** Method and path. */
  readonly route: string
  /** SHA-256 of the parsed request. */
  readonly fingerprint: Buffer
}

/**
 * Whoever holds a key's lock is the first request with it and still running: who fails to get it goes
 * on as if the key were taken. It ends with the transaction, so a lost connection leaves none.
 */
export const isAdmitted = (key: string) =>
  `(${key} IS NULL OR pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', caller, route, ${key}), 0)))`

/** A keyed request among the values of a statement. */
export interface KeyedValues {
  readonly caller?: string | undefined
  readonly route?: string | undefined
  readonly key?: string | undefined
}

/** The columns of `input` that say under which key a request came; none without one. */
export function columnsOf(keyed: Keyed | undefined) {
  if (!keyed) return {}
  const { key, route, fingerprint } = keyed
  return { key, route, fingerprint: `\\x${fingerprint.toString('hex')}` }
}

/** Two requests with one key don't share a statement, where they would not see each other. */
export function keysOfKeyed({ caller, route, key }: KeyedValues): readonly string[] {
  return key === undefined ? [] : [`${caller} ${route} ${key}`]
}

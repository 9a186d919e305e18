/** How a key set changes without a token that is refused: what to make and what to drop, as a pure rule. */

/** A key of the set, as far as its rotation goes. Times are seconds since the epoch. */
export interface Member {
  readonly kid: string
  readonly signsFrom: number
}

export interface Terms {
  readonly now: number
  /** How long the longest token lives. */
  readonly tokenLife: number
  /** After which time a new key signs: every replica has it by then. */
  readonly signsIn: number
}

/** Clocks differ. */
const SKEW_SECONDS = 60

export interface Change {
  /** When the key that is to be made signs; undefined: none is, for the last one made does not sign yet. */
  readonly make: number | undefined
  readonly drop: string[]
}

/** Adds a key, unless one is on its way, and drops those that no living token was signed with. */
export function rotation(keys: readonly Member[], terms: Terms): Change {
  const isOnItsWay = keys.some(({ signsFrom }) => signsFrom > terms.now)
  return { make: isOnItsWay ? undefined : terms.now + terms.signsIn, drop: useless(keys, terms) }
}

/**
 * The keys that can be dropped: another has been signing in their place for longer than a token lives. The
 * one that signs, and those that will, are never among them.
 */
export function useless(keys: readonly Member[], { now, tokenLife }: Terms): string[] {
  const inOrder = keys.toSorted((a, b) => a.signsFrom - b.signsFrom)
  const lastSurely = inOrder.findLastIndex(
    ({ signsFrom }) => signsFrom + tokenLife + SKEW_SECONDS <= now,
  )
  return inOrder.slice(0, Math.max(0, lastSurely)).map(({ kid }) => kid)
}

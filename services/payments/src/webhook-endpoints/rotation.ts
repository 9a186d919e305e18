/** A stored secret of an endpoint. A later one has a higher `nth`. */
export interface StoredSecret {
  readonly nth: number
  readonly isExpired: boolean
}

/** What a rotation does with the secrets of an endpoint. */
export interface Rotation {
  /** Of the new secret. */
  readonly nth: number
  /** The secrets that are deleted. */
  readonly drop: readonly number[]
  /** The secret that stays valid for the overlap, if there is one. */
  readonly expire: number | undefined
}

/**
 * Decides on a rotation. During an overlap there are two valid secrets: a rotation then replaces the newest and leaves
 * the oldest its time, so that a client that lost the response rotates again. Without an overlap, only the new secret
 * stays, also if an overlap has begun: so a secret that was disclosed ends at once.
 */
export function rotation(secrets: readonly StoredSecret[], overlapSeconds: number): Rotation {
  const inOrder = secrets.toSorted((a, b) => a.nth - b.nth)
  const nth = (inOrder.at(-1)?.nth ?? 0) + 1
  const valid = inOrder.filter(({ isExpired }) => !isExpired)
  const [oldest] = valid
  if (!oldest || overlapSeconds === 0) return { nth, drop: nthsOf(inOrder), expire: undefined }
  const drop = nthsOf(inOrder.filter((secret) => secret !== oldest))
  return { nth, drop, expire: valid.length === 1 ? oldest.nth : undefined }
}

function nthsOf(secrets: readonly StoredSecret[]): number[] {
  return secrets.map(({ nth }) => nth)
}

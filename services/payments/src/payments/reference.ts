/**
 * A payment's reference is `PAY-` followed by its id, a UUIDv7. So one index serves both, and references sort
 * by time of creation.
 */
const PREFIX = 'PAY-'

const REFERENCE = /^PAY-([\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12})$/

export function referenceOf(id: string): string {
  return PREFIX + id
}

/** The id in a reference; undefined for a string that is not a reference. */
export function idOf(reference: string): string | undefined {
  return REFERENCE.exec(reference)?.[1]
}

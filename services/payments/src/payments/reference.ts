/**
 * A payment's reference is its id with a prefix, `PAY-` and a UUIDv7, so one index finds it by either and
 * the order of ids is the order of creation.
 */
const PREFIX = 'PAY-'

const REFERENCE = /^PAY-([\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12})$/

export function referenceOf(id: string): string {
  return PREFIX + id
}

/** The id in a reference; undefined for what is no reference, which no payment can have. */
export function idOf(reference: string): string | undefined {
  return REFERENCE.exec(reference)?.[1]
}

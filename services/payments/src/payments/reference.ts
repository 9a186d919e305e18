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

/**
 * The least UUIDv7 of a millisecond: ids made before `time` are below it, later ones not (RFC 9562,
 * section 5.7: the first 48 bits are the Unix time in milliseconds).
 */
export function leastIdAt(time: Date): string {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`
}

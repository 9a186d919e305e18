/** `PAY-` and a UUIDv7: one index serves ids and references, and both sort by time of creation. */
const REFERENCE = /^PAY-([\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12})$/

export function referenceOf(id: string): string {
  return `PAY-${id}`
}

/** The id in a reference; undefined for a string that is not a reference. */
export function idOf(reference: string): string | undefined {
  return REFERENCE.exec(reference)?.[1]
}

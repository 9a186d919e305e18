/** Entity tags of a payment: its version, strong (RFC 9110, section 8.8.3). */

export function etagOf(version: number): string {
  return `"${version}"`
}

/** What an `If-Match` asks for. Versions begin with 1, so an empty list matches none. */
export type Condition = { readonly versions: readonly number[] } | 'malformed'

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/

/**
 * Reads `If-Match` (RFC 9110, section 13.1.1): `*` and an absent header ask for nothing (undefined), for a
 * payment that exists matches `*`. A weak tag never matches strongly, and one that is not ours never at all.
 */
export function conditionOf(ifMatch: string | undefined): Condition | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined
  const tags = ifMatch.split(',').map((tag) => tag.trim())
  if (ifMatch.length > 200 || !tags.every((tag) => TAG.test(tag))) return 'malformed'
  return {
    versions: tags.flatMap((tag) =>
      /^"[1-9]\d{0,8}"$/.test(tag) ? [Number(tag.slice(1, -1))] : [],
    ),
  }
}

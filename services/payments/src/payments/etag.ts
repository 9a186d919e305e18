/** A payment's ETag is its version, a strong tag (RFC 9110, section 8.8.3). */

export function etagOf(version: number): string {
  return `"${version}"`
}

/** The versions that `If-Match` accepts. Versions start at 1, so an empty list matches none. */
export type Condition = { readonly versions: readonly number[] } | 'malformed'

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/

/**
 * Parses `If-Match` (RFC 9110, section 13.1.1). Without the header, or with `*`, the result is undefined: no
 * condition, since the payment exists. A weak tag or a tag in another format never matches.
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

/** A payment's ETag is its version as a strong tag (RFC 9110, section 8.8.3). */

export function etagOf(version: number): string {
  return `"${version}"`
}

/** The versions that `If-Match` accepts. An empty list matches no version. */
export type Condition = { readonly versions: readonly number[] } | 'malformed'

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/

/**
 * Parses `If-Match` (RFC 9110, section 13.1.1). Undefined means no condition: the header is absent, or it is
 * `*`, which every existing payment matches. A weak tag or a tag in another format never matches.
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

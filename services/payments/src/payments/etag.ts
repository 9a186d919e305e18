/** A payment's ETag is its version as a strong tag (RFC 9110, section 8.8.3). */

export function etagOf(version: number): string {
  return `"${version}"`
}

/** The versions that `If-Match` accepts. An empty list matches no version. */
export type Condition = { readonly versions: readonly number[] } | 'malformed'

/** The versions that `If-None-Match` names. */
export type KnownVersions = 'any' | readonly number[]

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/
const MAX_CHARACTERS = 200

/**
 * Parses `If-Match` (RFC 9110, section 13.1.1). Undefined means no condition: the header is absent, or it is
 * `*`, which every existing payment matches. A weak tag or a tag in another format never matches.
 */
export function conditionOf(ifMatch: string | undefined): Condition | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined
  const tags = tagsIn(ifMatch)
  return tags ? { versions: tags.flatMap(versionsIn) } : 'malformed'
}

/**
 * Parses `If-None-Match` (RFC 9110, section 13.1.2), which compares weakly: a proxy that compresses a response
 * makes its tag weak. Undefined means that the header is absent.
 */
export function knownVersions(
  ifNoneMatch: string | undefined,
): KnownVersions | undefined | 'malformed' {
  if (ifNoneMatch === undefined) return undefined
  if (ifNoneMatch.trim() === '*') return 'any'
  const strong = (tag: string) => tag.replace(/^W\//, '')
  return tagsIn(ifNoneMatch)?.map(strong).flatMap(versionsIn) ?? 'malformed'
}

/** Whether the client has this version, so that a read answers 304. */
export function isKnown(version: number, known: KnownVersions | undefined): boolean {
  return known === 'any' || (known?.includes(version) ?? false)
}

/** The tags in a header; undefined if it is malformed. */
function tagsIn(header: string): string[] | undefined {
  const tags = header.split(',').map((tag) => tag.trim())
  return header.length <= MAX_CHARACTERS && tags.every((tag) => TAG.test(tag)) ? tags : undefined
}

/** The version that a strong tag names; none for a tag in another format. */
function versionsIn(tag: string): number[] {
  return /^"[1-9]\d{0,8}"$/.test(tag) ? [Number(tag.slice(1, -1))] : []
}

/** Longer than any token of ours, and short enough for a header of 16 kB. */
const MOST_CHARACTERS = 4_096

const BEARER = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

/** The token of an `Authorization` header (RFC 6750, section 2.1); undefined for none, or no JWT. */
export function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > MOST_CHARACTERS) return undefined
  return BEARER.exec(authorization)?.[1]
}

/** RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1). */
const BEARER = /^Bearer +([\w.~+/-]+=*)$/i

/** The token of an `Authorization` header; undefined for none, another scheme or what can't be one. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1]
}

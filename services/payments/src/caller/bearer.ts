import { bearerToken } from '@malipo/kit/http/bearer'

/** Longer than any token of ours, and short enough for a header of 16 kB. */
const MOST_CHARACTERS = 4_096

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** The JWT of an `Authorization` header; undefined for none and for a token that auth can't have issued. */
export function bearerJwt(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > MOST_CHARACTERS) return undefined
  const token = bearerToken(authorization)
  return token !== undefined && JWT.test(token) ? token : undefined
}

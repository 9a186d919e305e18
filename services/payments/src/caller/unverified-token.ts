import { hash } from 'node:crypto'
import { bearerToken } from '@malipo/kit/http/bearer'

/** What can be read from a token before it is validated. None of it may be trusted. */

/** Longer than any token that auth issues, and shorter than Node's limit of 16 kB for headers. */
const MAX_HEADER_CHARACTERS = 4_096
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** The JWT of an `Authorization` header; undefined if there is none that auth can have issued. */
export function bearerJwt(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > MAX_HEADER_CHARACTERS) return undefined
  const token = bearerToken(authorization)
  return token !== undefined && JWT.test(token) ? token : undefined
}

/** The token's name in caches: a reader of Redis can't recover the token from it. */
export function hashToken(token: string): string {
  return hash('sha256', token)
}

/** The session id that a token claims, so that one Redis read covers the session's revocation too. */
export function claimedSessionId(token: string): string | undefined {
  try {
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      sid?: unknown
    }
    return typeof payload.sid === 'string' && /^[\w-]{1,64}$/.test(payload.sid)
      ? payload.sid
      : undefined
  } catch {
    return undefined
  }
}

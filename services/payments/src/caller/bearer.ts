import { hash } from 'node:crypto'

/** What can be said of a bearer token without asking anyone. None of it is to be trusted. */

/** Longer than any token of ours, and short enough for a header of 16 kB. */
const MOST_CHARACTERS = 4_096

const BEARER = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

/** The token of an `Authorization` header (RFC 6750, section 2.1); undefined for none, or no JWT. */
export function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > MOST_CHARACTERS) return undefined
  return BEARER.exec(authorization)?.[1]
}

/** A token's name in Redis: whoever reads Redis can't use it. */
export function tokenHash(token: string): string {
  return hash('sha256', token)
}

/** The session that a token says it is of, so that one look at Redis covers its revocation too. */
export function claimedSession(token: string): string | undefined {
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

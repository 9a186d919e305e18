import { hash } from 'node:crypto'

/** What can be read from a token before it is validated. None of it may be trusted. */

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

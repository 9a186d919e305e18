import { hash } from 'node:crypto'
import { bearerToken } from '@malipo/kit/http/access'
import { apiKeyId, apiKeyMode } from '@malipo/kit/http/api-key'

/** Data of a token that has not been validated. None of it may be trusted. */

/** More than any token of auth requires, and less than Node's limit of 16 kB for all headers. */
const MAX_HEADER_CHARACTERS = 4_096
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/**
 * The JWT or API key of an `Authorization` header; undefined if the header has none that auth could have issued. The
 * checksum of a key is verified, so that noise costs no look-up.
 */
export function bearerCredential(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > MAX_HEADER_CHARACTERS) return undefined
  const token = bearerToken(authorization)
  const isKnownForm = token !== undefined && (JWT.test(token) || apiKeyMode(token) !== undefined)
  return isKnownForm ? token : undefined
}

/** Whether a credential is an API key. Only a JWT has full stops. */
export function isApiKey(token: string): boolean {
  return !token.includes('.')
}

/** The key of a token in the caches: a hash, so that a reader of Redis can't recover the token. */
export function hashToken(token: string): string {
  return hash('sha256', token)
}

/**
 * The session id that a token claims, or the id of an API key, which its hash determines. With it, one Redis read returns
 * both the entry and the revocation.
 */
export function claimedSessionId(token: string, tokenHash: string): string | undefined {
  if (isApiKey(token)) return apiKeyId(Buffer.from(tokenHash, 'hex'))
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

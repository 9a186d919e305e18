import { isUUID } from 'class-validator'

/** What an access token says, and what is taken for one. Pure: no clock, no key. */

/** The registered claims of RFC 7519, with `scope` of RFC 8693 and the session's id. No phone, no email. */
export interface Claims {
  /** The user's id. */
  sub: string
  /** The session's id. */
  sid: string
  /** Scopes, separated by spaces. */
  scope: string
  jti: string
  iss: string
  aud: string
  /** Seconds since the epoch. */
  iat: number
  exp: number
}

const TEXTS = ['scope', 'jti', 'iss', 'aud'] as const
const IDS = ['sub', 'sid'] as const
const TIMES = ['iat', 'exp'] as const

/** The claims of a payload whose signature was found right; undefined when it lacks one of ours. */
export function claimsOf(payload: unknown): Claims | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined
  const claims = payload as Record<string, unknown>
  const complete =
    TEXTS.every((name) => typeof claims[name] === 'string') &&
    IDS.every((name) => isUUID(claims[name])) &&
    TIMES.every((name) => Number.isFinite(claims[name]))
  if (!complete) return undefined
  const { sub, sid, scope, jti, iss, aud, iat, exp } = payload as Claims
  return { sub, sid, scope, jti, iss, aud, iat, exp }
}

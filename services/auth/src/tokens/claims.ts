import { isUUID } from 'class-validator'

/** The claims of an access token: RFC 7519, `scope` of RFC 8693, and the session id. No phone, no email. */
export interface Claims {
  /** User id. */
  sub: string
  /** Session id. */
  sid: string
  /** Scopes, separated by spaces. */
  scope: string
  jti: string
  iss: string
  aud: string
  /** Unix seconds. */
  iat: number
  exp: number
}

const STRINGS = ['scope', 'jti', 'iss', 'aud'] as const
const IDS = ['sub', 'sid'] as const
const TIMES = ['iat', 'exp'] as const

/**
 * The claims of a payload whose signature is valid; undefined if a required claim is missing or malformed.
 */
export function claimsOf(payload: unknown): Claims | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined
  const claims = payload as Record<string, unknown>
  const complete =
    STRINGS.every((name) => typeof claims[name] === 'string') &&
    IDS.every((name) => isUUID(claims[name])) &&
    TIMES.every((name) => Number.isFinite(claims[name]))
  if (!complete) return undefined
  const { sub, sid, scope, jti, iss, aud, iat, exp } = payload as Claims
  return { sub, sid, scope, jti, iss, aud, iat, exp }
}

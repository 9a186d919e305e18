import { isUUID } from 'class-validator'
import type { PayloadDto } from './tokens.dto.js'

/** The claims of an access token: those of RFC 7519, `scope` of RFC 8693, and the session id. */
export type Claims = Omit<PayloadDto, 'phone' | 'email' | 'kind' | 'merchant'>

const STRINGS = ['scope', 'jti', 'iss', 'aud'] as const
const IDS = ['sub', 'sid'] as const
const TIMES = ['iat', 'exp'] as const

/** The claims of a verified payload; undefined if one is missing or malformed. */
export function claimsOf(payload: unknown): Claims | undefined {
  const claims = (payload ?? {}) as Record<string, unknown>
  const isComplete =
    STRINGS.every((name) => typeof claims[name] === 'string') &&
    IDS.every((name) => isUUID(claims[name])) &&
    TIMES.every((name) => Number.isFinite(claims[name]))
  if (!isComplete) return undefined
  const { sub, sid, scope, jti, iss, aud, iat, exp } = payload as Claims
  return { sub, sid, scope, jti, iss, aud, iat, exp }
}

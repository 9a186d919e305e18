import { objectOf, retryAfterOf, textAt } from './json-answer.js'
import type { CallResult, GrantReading } from './reading.js'

/** Visible ASCII: RFC 9110, section 5.5, without spaces. */
const HEADER_VALUE = /^[\x21-\x7E]{1,8192}$/

/** If a provider states no usable lifetime, the token is renewed soon. */
const SHORT_LIFETIME_SECONDS = 60
const MAX_LIFETIME_SECONDS = 86_400

/**
 * The answer of a token endpoint, as in RFC 6749, section 5. `expires_in` is a number or a string: Airtel and M-Pesa
 * send a string. Any other answer than 200, 400, 401 or 403 says nothing about the credentials.
 */
export function readToken(result: CallResult): GrantReading {
  if (result.phase !== 'answered') return { kind: 'unavailable' }
  const body = objectOf(result.body)
  const token = body && Object.hasOwn(body, 'access_token') ? body.access_token : undefined
  if (result.status === 200 && typeof token === 'string' && HEADER_VALUE.test(token)) {
    return {
      kind: 'granted',
      value: token,
      lifetimeSeconds: lifetimeOf(textAt(body, 'expires_in')),
    }
  }
  const providerCode = textAt(body, 'error') ?? textAt(body, 'errorCode') ?? textAt(body, 'code')
  if ([400, 401, 403].includes(result.status)) return { kind: 'refused', providerCode }
  return { kind: 'unavailable', providerCode, retryAfterSeconds: retryAfterOf(result.headers) }
}

function lifetimeOf(stated: string | undefined): number {
  const seconds = Number(stated)
  const isUsable = stated !== undefined && Number.isFinite(seconds) && seconds >= 1
  return isUsable ? Math.min(Math.floor(seconds), MAX_LIFETIME_SECONDS) : SHORT_LIFETIME_SECONDS
}

/** RFC 7617, of the raw bytes: MTN's gateway answers 500 to percent-encoded credentials. */
export function basicAuthorization(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

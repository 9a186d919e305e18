import type { IncomingHttpHeaders } from 'node:http'
import { accountOfToken } from '../http/access-token.js'
import { type ErrorResponse, ERRORS } from './errors.js'
import type { User, Users } from './users.js'

export const ISSUER = 'mtn-momo'

type Authenticated = { readonly user: User } | { readonly error: ErrorResponse }

/** The user of a request with an access token. */
export function authenticate(
  headers: IncomingHttpHeaders,
  users: Users,
  nowMs: number,
): Authenticated {
  const find = (id: string) => users.find(id)
  const user = accountOfToken(ISSUER, headers.authorization, find, nowMs)
  const error = gatewayError(headers, user)
  if (error) return { error }
  if (!user) return { error: ERRORS.tokenInvalid }
  const environment = headers['x-target-environment']
  if (!environment) return { error: ERRORS.environmentHeader }
  if (environment !== user.targetEnvironment) return { error: ERRORS.targetEnvironment }
  return { user }
}

/** The user of a request for a token. The header `X-Target-Environment` is mandatory on the new platform only. */
export function authenticateBasic(headers: IncomingHttpHeaders, users: Users): Authenticated {
  const [, encoded = ''] = /^Basic (\S+)$/i.exec(headers.authorization ?? '') ?? []
  const decoded = Buffer.from(encoded, 'base64').toString()
  // A credential token of the new platform may contain colons.
  const colon = decoded.indexOf(':')
  const user = users.find(decoded.slice(0, Math.max(0, colon)))
  const error = gatewayError(headers, user)
  if (error) return { error }
  const environment = headers['x-target-environment']
  if (user?.platform === 'new' && environment !== user.targetEnvironment) {
    return { error: ERRORS.environmentHeader }
  }
  const isKnown =
    user !== undefined && user.secret !== '' && user.secret === decoded.slice(colon + 1)
  if (isKnown) return { user }
  return { error: user?.platform === 'new' ? ERRORS.clientInvalid : ERRORS.loginFailed }
}

/** What the gateway rejects before MoMo sees the request. */
function gatewayError(headers: IncomingHttpHeaders, user?: User): ErrorResponse | undefined {
  // Only the new platform blocks this client, in any version.
  if (user?.platform === 'new' && /python-requests/i.test(headers['user-agent'] ?? '')) {
    return ERRORS.blocked
  }
  const key = headers['ocp-apim-subscription-key']
  if (!key) return ERRORS.subscriptionKeyMissing
  return user && user.subscriptionKey !== key ? ERRORS.subscriptionKeyInvalid : undefined
}

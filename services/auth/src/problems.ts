import { HTTP_PROBLEMS, Problem, type ProblemKind } from '@malipo/kit/http/problem'

/** The types of problems that auth adds to the general HTTP ones. */
export const PROBLEMS = {
  phoneTaken: { type: 'phone-taken', status: 409, title: 'Phone already registered' },
  emailTaken: { type: 'email-taken', status: 409, title: 'Email already registered' },
  wrongCredentials: { type: 'wrong-credentials', status: 401, title: 'Wrong phone or password' },
  unauthenticated: { type: 'unauthenticated', status: 401, title: 'Authentication required' },
  wrongMode: { type: 'wrong-mode', status: 401, title: 'API key of another mode' },
  loginTooOld: { type: 'login-too-old', status: 401, title: 'Recent login required' },
  refreshTokenNotValid: {
    type: 'refresh-token-not-valid',
    status: 401,
    title: 'Invalid refresh token',
  },
  insufficientScope: { type: 'insufficient-scope', status: 403, title: 'Insufficient scope' },
  ownScopes: { type: 'own-scopes', status: 403, title: 'Own scopes cannot be changed' },
  operatorScopes: {
    type: 'operator-scopes',
    status: 403,
    title: 'Operator scopes are granted by a command',
  },
  userNotFound: { type: 'user-not-found', status: 404, title: 'User not found' },
  sessionNotFound: { type: 'session-not-found', status: 404, title: 'Session not found' },
  keyNotFound: { type: 'key-not-found', status: 404, title: 'API key not found' },
  merchantNotFound: { type: 'merchant-not-found', status: 404, title: 'Merchant not found' },
  keyEnded: { type: 'key-ended', status: 409, title: 'API key revoked or expired' },
  tooManyKeys: { type: 'too-many-keys', status: 409, title: 'Too many API keys' },
  merchantClosed: { type: 'merchant-closed', status: 409, title: 'Merchant closed' },
  tooManyAttempts: { type: 'too-many-attempts', status: 429, title: 'Too many attempts' },
  revocationPending: {
    type: 'revocation-pending',
    status: 503,
    title: 'Session ended; revocation is still propagating',
  },
} as const satisfies Record<string, ProblemKind>

/** RFC 6750, section 3: the challenge has no error code if the request has no token. */
const NO_TOKEN = { headers: { 'www-authenticate': 'Bearer' } }
const INVALID_TOKEN = { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }

export function tokenMissing(): Problem {
  const detail = 'Send Authorization: Bearer with an access token.'
  return new Problem(PROBLEMS.unauthenticated, detail, NO_TOKEN)
}

export function tokenNotValid(): Problem {
  const detail = 'The access token is malformed, expired or revoked. Log in again.'
  return new Problem(PROBLEMS.unauthenticated, detail, INVALID_TOKEN)
}

/** A route of people: an API key is for servers, which call payments. */
export function keyNotAccepted(): Problem {
  const detail = 'This route needs an access token. It does not accept API keys.'
  return new Problem(PROBLEMS.unauthenticated, detail, INVALID_TOKEN)
}

export function wrongMode(): Problem {
  const detail =
    'The API key was issued for another mode: mlp_live_ is for live, mlp_test_ for sandbox.'
  return new Problem(PROBLEMS.wrongMode, detail, INVALID_TOKEN)
}

/** RFC 9470, section 3. */
export function loginTooOld(maxAgeSeconds: number): Problem {
  const challenge = `Bearer error="insufficient_user_authentication", max_age=${maxAgeSeconds}`
  const detail = 'Send currentPassword, or log in again and retry with the new access token.'
  return new Problem(PROBLEMS.loginTooOld, detail, { headers: { 'www-authenticate': challenge } })
}

export function merchantClosed(): Problem {
  return new Problem(PROBLEMS.merchantClosed, 'A closed merchant gets no keys and no scopes.')
}

export function refreshTokenNotValid(): Problem {
  return new Problem(
    PROBLEMS.refreshTokenNotValid,
    'The refresh token was already used or has expired, or its session was revoked. Log in again.',
    INVALID_TOKEN,
  )
}

/** A session was refreshed too often within one grace period. */
export function tooManyRefreshes(waitMs: number): Problem {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  const detail = 'The session was refreshed too often. Retry after the delay in Retry-After.'
  return new Problem(PROBLEMS.tooManyAttempts, detail, { retryAfterSeconds })
}

/** During a rotation of the refresh keys, a replica may load a key later than another one uses it. */
export function refreshKeyMissing(): Problem {
  const detail = 'The key of this token’s successor is not loaded yet. Retry with the same token.'
  return new Problem(HTTP_PROBLEMS.unavailable, detail, { retryAfterSeconds: 2 })
}

/** The text is the same for an unknown phone number and for a wrong password. */
export function wrongCredentials(detail = 'No account has this phone and password.'): Problem {
  return new Problem(PROBLEMS.wrongCredentials, detail, NO_TOKEN)
}

export function ownScopes(): Problem {
  return new Problem(PROBLEMS.ownScopes, 'Another operator must change your scopes.')
}

export function operatorScopes(): Problem {
  const detail =
    'A user who lacks payments:admin or auth:admin gets it only by the operator command.'
  return new Problem(PROBLEMS.operatorScopes, detail)
}

export function revocationPending(): Problem {
  return new Problem(
    PROBLEMS.revocationPending,
    'Other services may accept the session’s tokens until the revocation reaches them. It is retried in the background.',
    // If Redis was only slow, a retry after this delay usually succeeds.
    { retryAfterSeconds: 2 },
  )
}

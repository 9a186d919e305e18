import type { ProblemKind } from '@malipo/kit/http/problem'

/** Every error that auth answers beside those of HTTP itself. */
export const PROBLEMS = {
  phoneTaken: { type: 'phone-taken', status: 409, title: 'This phone has an account' },
  emailTaken: { type: 'email-taken', status: 409, title: 'This email has an account' },
  wrongCredentials: {
    type: 'wrong-credentials',
    status: 401,
    title: 'The phone or the password is wrong',
  },
  tokenMissing: { type: 'token-missing', status: 401, title: 'A bearer token is needed' },
  tokenNotValid: { type: 'token-not-valid', status: 401, title: 'The token is not valid' },
  refreshTokenNotValid: {
    type: 'refresh-token-not-valid',
    status: 401,
    title: 'The refresh token is not valid',
  },
  insufficientScope: {
    type: 'insufficient-scope',
    status: 403,
    title: 'The token does not allow this',
  },
  userNotFound: { type: 'user-not-found', status: 404, title: 'There is no such user' },
  sessionNotFound: { type: 'session-not-found', status: 404, title: 'There is no such session' },
  tooManyAttempts: { type: 'too-many-attempts', status: 429, title: 'Too many attempts' },
  revocationUntold: {
    type: 'revocation-untold',
    status: 503,
    title: 'The session is over, but not everyone has been told',
  },
} as const satisfies Record<string, ProblemKind>

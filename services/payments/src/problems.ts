import type { ProblemKind } from '@malipo/kit/http/problem'

/** Every error that this service answers beside HTTP's own. */
export const PROBLEMS = {
  unauthenticated: { type: 'unauthenticated', status: 401, title: 'Authentication required' },
  signature: { type: 'webhook-signature', status: 401, title: 'The signature is not valid' },
  forbidden: { type: 'insufficient-scope', status: 403, title: 'The token does not allow this' },
  noPayment: { type: 'payment-not-found', status: 404, title: 'There is no such payment' },
  transition: { type: 'transition-not-allowed', status: 400, title: 'The status can’t change so' },
  versionChanged: {
    type: 'version-changed',
    status: 412,
    title: 'The payment has changed meanwhile',
  },
  keyInUse: { type: 'idempotency-key-in-use', status: 409, title: 'The first request is running' },
  keyReused: {
    type: 'idempotency-key-reused',
    status: 422,
    title: 'The Idempotency-Key belongs to another request',
  },
  webhookReused: {
    type: 'webhook-id-reused',
    status: 422,
    title: 'The webhook id belongs to another webhook',
  },
  tooManyRejectedTokens: {
    type: 'too-many-bad-tokens',
    status: 429,
    title: 'Too many invalid tokens',
  },
  authUnavailable: {
    type: 'auth-unavailable',
    status: 503,
    title: 'Token validation is unavailable',
  },
} as const satisfies Record<string, ProblemKind>

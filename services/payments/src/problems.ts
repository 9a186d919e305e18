import { Problem, type ProblemKind } from '@malipo/kit/http/problem'
import type { Refusal } from './providers/account-choice.js'

/** The problems specific to payments, in addition to the general HTTP problems. */
export const PROBLEMS = {
  unauthenticated: { type: 'unauthenticated', status: 401, title: 'Authentication required' },
  wrongMode: { type: 'wrong-mode', status: 401, title: 'API key of another mode' },
  signature: { type: 'webhook-signature', status: 401, title: 'Invalid webhook signature' },
  forbidden: { type: 'insufficient-scope', status: 403, title: 'Insufficient scope' },
  noPayment: { type: 'payment-not-found', status: 404, title: 'Payment not found' },
  transition: { type: 'transition-not-allowed', status: 400, title: 'Transition not allowed' },
  versionChanged: {
    type: 'version-changed',
    status: 412,
    title: 'The payment has changed since it was read',
  },
  keyInUse: {
    type: 'idempotency-key-in-use',
    status: 409,
    title: 'The first request with this Idempotency-Key is still running',
  },
  keyReused: {
    type: 'idempotency-key-reused',
    status: 422,
    title: 'The Idempotency-Key was used for a different request',
  },
  hasProvider: {
    type: 'payment-has-provider',
    status: 409,
    title: 'The provider decides the status of this payment',
  },
  providerUnavailable: {
    type: 'provider-unavailable',
    status: 422,
    title: 'No provider takes this payment',
  },
  amountNotSupported: {
    type: 'amount-not-supported',
    status: 422,
    title: 'The provider does not take this amount',
  },
  payerLimit: {
    type: 'payer-limit',
    status: 429,
    title: 'Too many payments of this payer or merchant',
  },
  transactionUsed: {
    type: 'transaction-id-used',
    status: 422,
    title: 'The transaction id belongs to another payment',
  },
  otherAmount: {
    type: 'other-amount',
    status: 422,
    title: 'The amount is not that of the payment',
  },
  webhookReused: {
    type: 'webhook-id-reused',
    status: 422,
    title: 'The webhook id was used for different content',
  },
  noEndpoint: { type: 'endpoint-not-found', status: 404, title: 'Webhook endpoint not found' },
  tooManyEndpoints: {
    type: 'too-many-endpoints',
    status: 409,
    title: 'Too many webhook endpoints',
  },
  endpointChanged: {
    type: 'endpoint-changed',
    status: 412,
    title: 'The webhook endpoint has changed since it was read',
  },
  endpointNotEnabled: {
    type: 'endpoint-not-enabled',
    status: 409,
    title: 'The webhook endpoint is disabled',
  },
  noDelivery: { type: 'delivery-not-found', status: 404, title: 'Delivery not found' },
  tooManyTries: { type: 'too-many-tries', status: 409, title: 'Too many tries of this delivery' },
  tooManyDeliveries: {
    type: 'too-many-deliveries',
    status: 422,
    title: 'Too many deliveries for one replay',
  },
  secretsUnavailable: {
    type: 'webhook-secrets-unavailable',
    status: 501,
    title: 'This installation can’t store secrets of webhook endpoints',
  },
  noAttempt: { type: 'attempt-not-found', status: 404, title: 'Attempt not found' },
  noMessage: { type: 'message-not-found', status: 404, title: 'Message not found' },
  noProposal: { type: 'proposal-not-found', status: 404, title: 'Proposal not found' },
  ownPayment: {
    type: 'own-payment',
    status: 403,
    title: 'Operators can’t resolve attempts of payments that they created',
  },
  ownProposal: {
    type: 'own-proposal',
    status: 403,
    title: 'A proposal is confirmed by another operator, and cancelled by its own',
  },
  attemptState: {
    type: 'attempt-state',
    status: 409,
    title: 'The state of the attempt does not allow this',
  },
  attemptChanged: {
    type: 'attempt-changed',
    status: 409,
    title: 'The attempt has changed since it was read',
  },
  proposalEnded: {
    type: 'proposal-ended',
    status: 409,
    title: 'The proposal has expired, or was confirmed or cancelled',
  },
  otherProposal: {
    type: 'other-proposal',
    status: 409,
    title: 'The confirmation has another content than the proposal',
  },
  notReplayable: {
    type: 'message-not-replayable',
    status: 409,
    title: 'The message can’t be replayed',
  },
  tooManyRejectedTokens: {
    type: 'too-many-bad-tokens',
    status: 429,
    title: 'Too many invalid tokens',
  },
  tooManyWaits: { type: 'too-many-waits', status: 429, title: 'Too many waits' },
  authUnavailable: {
    type: 'auth-unavailable',
    status: 503,
    title: 'Token validation is unavailable',
  },
} as const satisfies Record<string, ProblemKind>

/** The problems that every route with token validation may return. */
export const TOKEN_PROBLEMS = [
  PROBLEMS.unauthenticated,
  PROBLEMS.wrongMode,
  PROBLEMS.forbidden,
  PROBLEMS.tooManyRejectedTokens,
  PROBLEMS.authUnavailable,
] as const

/** Returns the same 404 whether a payment does not exist or belongs to another user. */
export function noPayment(): Problem {
  return new Problem(PROBLEMS.noPayment, 'No payment of yours has this reference.')
}

export function noAttempt(): Problem {
  return new Problem(PROBLEMS.noAttempt, 'No attempt has this id.')
}

export function noMessage(): Problem {
  return new Problem(PROBLEMS.noMessage, 'No message has this id.')
}

export function noProposal(): Problem {
  return new Problem(PROBLEMS.noProposal, 'The attempt has no proposal with this id.')
}

export function ownPayment(): Problem {
  return new Problem(PROBLEMS.ownPayment, 'Another operator must resolve this attempt.')
}

export function ownProposal(): Problem {
  const detail = 'Another operator confirms this proposal. Only its own operator cancels it.'
  return new Problem(PROBLEMS.ownProposal, detail)
}

export function attemptChanged(): Problem {
  const detail = 'Read the attempt again. A proposal for an earlier version is void: propose again.'
  return new Problem(PROBLEMS.attemptChanged, detail)
}

export function proposalEnded(): Problem {
  return new Problem(PROBLEMS.proposalEnded, 'Propose the resolution again.')
}

export function otherProposal(): Problem {
  const detail = 'A confirmation repeats outcome, transactionId, failure, reason and evidence.'
  return new Problem(PROBLEMS.otherProposal, detail)
}

export function keyReused(): Problem {
  const detail = 'Use a new Idempotency-Key for a request with another body or If-Match.'
  return new Problem(PROBLEMS.keyReused, detail)
}

export function keyInUse(): Problem {
  const detail = 'Retry with the same Idempotency-Key to get its response.'
  return new Problem(PROBLEMS.keyInUse, detail, { retryAfterSeconds: 1 })
}

export function hasProvider(): Problem {
  const detail = 'Only the provider or an operator who resolves its attempt can change the status.'
  return new Problem(PROBLEMS.hasProvider, detail)
}

/** No account takes a payment. */
export function refused({ reason, field, message }: Refusal): Problem {
  const isAmount = reason === 'amount-not-supported'
  const kind = isAmount ? PROBLEMS.amountNotSupported : PROBLEMS.providerUnavailable
  return new Problem(kind, `${field}: ${message}`, { errors: [{ field, message }] })
}

/** The payer, or the merchant, has as many payments as the installation allows. */
export function limitReached(limit: 'payer' | 'merchant'): Problem {
  const detail =
    limit === 'payer'
      ? 'The payer has too many open payments, or too many payments in the last hour.'
      : 'You have created as many payments today as the installation allows.'
  return new Problem(PROBLEMS.payerLimit, detail, { retryAfterSeconds: RETRY_AFTER[limit] })
}

/** In seconds: when the limit may have ended. */
const RETRY_AFTER = { payer: 60, merchant: 3_600 } as const

export function transactionUsed(): Problem {
  const detail = 'Another successful payment has this providerTransactionId.'
  return new Problem(PROBLEMS.transactionUsed, detail)
}

export function otherAmount(): Problem {
  const detail = 'The webhook states another amount or currency than the payment has.'
  return new Problem(PROBLEMS.otherAmount, detail)
}

export function webhookReused(): Problem {
  const detail = 'A webhook with this id was received with another reference or status.'
  return new Problem(PROBLEMS.webhookReused, detail)
}

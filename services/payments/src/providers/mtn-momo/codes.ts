import type { FailureCode } from '../failures.js'

/**
 * The codes of MTN MoMo Collections: https://momodeveloper.mtn.com, "Common error codes", and
 * https://momodevelopercommunity.mtn.com, "MoMo API common errors".
 */

/** Codes of an answer to POST requesttopay with status 400: the request was refused before a charge existed. */
export const INVALID_REQUEST_CODES: ReadonlySet<string> = new Set([
  'REQUEST_REJECTED',
  'BAD_REQUEST',
])

/**
 * Codes with status 500 that refuse the account's settings or rights. MTN answers 500 to real faults too, so that
 * every other code with a 5xx may stand beside a charge.
 */
export const CONFIGURATION_CODES: ReadonlySet<string> = new Set([
  'NOT_ALLOWED',
  'NOT_ALLOWED_TARGET_ENVIRONMENT',
  'INVALID_CALLBACK_URL_HOST',
  'INVALID_CURRENCY',
])

/** The reason beside the status FAILED. Any other reason is `provider_error`. */
const FAILURES_BY_REASON: Readonly<Record<string, FailureCode>> = {
  APPROVAL_REJECTED: 'payer_rejected',
  REJECTED: 'payer_rejected',
  EXPIRED: 'payer_timeout',
  COULD_NOT_PERFORM_TRANSACTION: 'payer_timeout',
  PAYMENT_NOT_APPROVED: 'payer_timeout',
  TRANSACTION_CANCELED: 'payer_timeout',
  NOT_ENOUGH_FUNDS: 'insufficient_funds',
  // Congo has one code for a low balance and for limits.
  LOW_BALANCE_OR_PAYEE_LIMIT_REACHED_OR_NOT_ALLOWED: 'insufficient_funds',
  PAYER_LIMIT_REACHED: 'limit_reached',
  PAYER_NOT_FOUND: 'payer_unknown',
  SENDER_ACCOUNT_NOT_ACTIVE: 'payer_unknown',
  PAYEE_NOT_FOUND: 'merchant_account',
  PAYEE_NOT_ALLOWED_TO_RECEIVE: 'merchant_account',
  PAYEE_LIMIT_REACHED: 'merchant_account',
  // "Predominantly insufficient funds", but also faults after which the charge may be completed.
  INTERNAL_PROCESSING_ERROR: 'provider_error',
  SERVICE_UNAVAILABLE: 'provider_error',
  VALIDATION_ERROR: 'provider_error',
}

export const FAILURE_OF_REASON: ReadonlyMap<string, FailureCode> = new Map(
  Object.entries(FAILURES_BY_REASON),
)

/** The markets' and the sandbox's words for a charge that is not decided. */
export const PENDING_STATUSES: ReadonlySet<string> = new Set(['PENDING', 'ONGOING', 'DELAYED'])

/** MTN writes codes with spaces or underscores: `REQUEST REJECTED`. */
export function normaliseCode(code: string): string {
  return code
    .trim()
    .toUpperCase()
    .replace(/[\s-]+/g, '_')
}

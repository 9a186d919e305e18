import type { Behaviour } from '../timeline/choice.js'
import { type ErrorResponse, ERRORS } from './errors.js'

/**
 * The numbers of MTN's sandbox, of which any other number succeeds:
 * https://momodeveloper.mtn.com/api-documentation/testing. Its sandbox accepts each of these requests and fails it
 * afterwards, as the tests of two clients in Rust against it show.
 */

const declined = (code: string): Behaviour => ({ personality: 'decline', code })
const DELAY_MS = 60_000

const PAYERS: Readonly<Record<string, Behaviour>> = {
  '46733123450': declined('INTERNAL_PROCESSING_ERROR'),
  '46733123451': declined('APPROVAL_REJECTED'),
  '46733123452': declined('EXPIRED'),
  // Ongoing: stays pending.
  '46733123453': { personality: 'never' },
  // Delayed: pending for a minute, then paid.
  '46733123454': { personality: 'approve', payerMs: DELAY_MS },
  '46733123455': declined('PAYER_NOT_FOUND'),
  '46733123456': declined('PAYEE_NOT_ALLOWED_TO_RECEIVE'),
  '46733123457': declined('NOT_ALLOWED'),
  '46733123458': declined('NOT_ALLOWED_TARGET_ENVIRONMENT'),
  '46733123459': declined('INVALID_CALLBACK_URL_HOST'),
  '46733123460': declined('INVALID_CURRENCY'),
  '46733123461': declined('INTERNAL_PROCESSING_ERROR'),
  '46733123462': declined('SERVICE_UNAVAILABLE'),
  '46733123463': declined('COULD_NOT_PERFORM_TRANSACTION'),
  '46733123464': declined('TRANSFER_TYPE_UNKNOWN'),
}

/** What a payer's number means for a request to pay in the sandbox. */
export function payerBehaviour(msisdn: string): Behaviour | undefined {
  return PAYERS[msisdn]
}

const HOLDERS: Readonly<Record<string, ErrorResponse | 'inactive'>> = {
  '46733123450': ERRORS.notFound,
  '46733123451': 'inactive',
  '46733123452': ERRORS.notAllowed,
  '46733123453': ERRORS.targetEnvironment,
  '46733123454': ERRORS.internal,
  '46733123455': ERRORS.unavailable,
}

/** What the number of an account holder means for queries of the account in the sandbox. */
export function holderBehaviour(msisdn: string): ErrorResponse | 'inactive' | 'active' {
  return HOLDERS[msisdn] ?? 'active'
}

/** Why a payment failed, in the words of Malipo. A provider's own code is stored beside it, unchanged. */

export interface Failure {
  /** The text that merchants see. */
  readonly message: string
  /**
   * Whether the payer may have paid nevertheless. Providers report a timeout or an internal error for charges that
   * they complete later, so that such an attempt is queried again after its end.
   */
  readonly mayStillSucceed: boolean
  /** Whether an operator must correct the account before other payments can succeed. */
  readonly needsOperator: boolean
}

const payer = { mayStillSucceed: false, needsOperator: false }
const account = { mayStillSucceed: false, needsOperator: true }
const doubtful = { mayStillSucceed: true, needsOperator: false }

export const FAILURES = {
  payer_rejected: { message: 'The payer rejected the payment.', ...payer },
  payer_timeout: { message: 'The payer did not approve the payment in time.', ...doubtful },
  insufficient_funds: { message: 'The payer has not enough money.', ...payer },
  limit_reached: {
    message: 'A limit on the payer’s account or on the amount was reached.',
    ...payer,
  },
  payer_unknown: { message: 'The provider has no active account for this phone number.', ...payer },
  invalid_request: {
    message: 'The provider rejected the request as invalid. Nothing was sent to the payer.',
    ...payer,
  },
  merchant_account: {
    message: 'The merchant’s account at the provider can’t receive the payment.',
    ...account,
  },
  provider_configuration: {
    message: 'The provider rejected the credentials or settings of the account.',
    ...account,
  },
  provider_unavailable: {
    message: 'The provider could not be reached. Nothing was sent to the payer.',
    ...payer,
  },
  not_sent: { message: 'The request was not sent to the provider.', ...payer },
  provider_error: { message: 'The provider failed the payment for another reason.', ...doubtful },
} as const satisfies Record<string, Failure>

export type FailureCode = keyof typeof FAILURES

export const FAILURE_CODES = Object.keys(FAILURES) as FailureCode[]

export function isFailureCode(code: string): code is FailureCode {
  return Object.hasOwn(FAILURES, code)
}

import type { Callback } from '../charges/callbacks.js'
import type { Charge } from '../book/records.js'
import { transactionNumber } from '../charges/transaction-number.js'
import type { DeclineReason, Outcome } from '../timeline/timeline.js'
import type { MtnEnvironment } from './environments.js'
import type { User } from './users.js'

const CODES: Readonly<Record<DeclineReason, string>> = {
  rejected: 'APPROVAL_REJECTED',
  expired: 'EXPIRED',
  insufficient_funds: 'NOT_ENOUGH_FUNDS',
}

const STATUSES = { pending: 'PENDING', paid: 'SUCCESSFUL', declined: 'FAILED' } as const

/** The body of a status response and of a callback. */
export function statusOf(
  { reference, amount, currency, phone, details }: Charge,
  outcome: Outcome,
  environment: MtnEnvironment,
) {
  return {
    ...(outcome.status === 'paid' && { financialTransactionId: transactionNumber(reference) }),
    externalId: details.externalId,
    amount: outcome.status === 'paid' ? outcome.amount : amount,
    currency,
    payer: { partyIdType: 'MSISDN', partyId: phone },
    payerMessage: details.payerMessage,
    payeeNote: details.payeeNote,
    status: STATUSES[outcome.status],
    ...(outcome.status === 'declined' && { reason: reasonOf(outcome, environment) }),
  }
}

/** MTN's samples have a string, its schema and some markets an object: the sandbox answers the former. */
function reasonOf(
  { reason, code = CODES[reason] }: Outcome & { status: 'declined' },
  environment: MtnEnvironment,
) {
  return environment === 'sandbox'
    ? code
    : { code, message: code.replaceAll('_', ' ').toLowerCase() }
}

/** MTN does not sign a callback, and does not send the reference in it. */
export function callbackOf(charge: Charge, outcome: Outcome, user: User): Callback | undefined {
  if (charge.callbackUrl === undefined) return undefined
  return {
    method: user.callbackMethod,
    url: charge.callbackUrl,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(statusOf(charge, outcome, user.targetEnvironment)),
  }
}

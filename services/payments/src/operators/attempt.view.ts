import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { Attention, AttemptCause, AttemptState } from '../attempts/states.js'
import { formatAmount } from '../money/money.js'
import { referenceOf } from '../payments/payment.view.js'
import type { Status } from '../payments/transitions.js'
import type { FailureCode } from '../providers/failures.js'

/** An attempt with its payment, without personal data of the payer. */
export interface StoredAttempt {
  readonly id: string
  readonly paymentId: string
  readonly ownerId: string
  readonly status: Status
  readonly amountMinor: string
  readonly currency: string
  readonly account: string
  readonly reference: string
  readonly state: AttemptState
  readonly providerReference: string | null
  readonly providerTransactionId: string | null
  readonly failure: FailureCode | null
  readonly providerCode: string | null
  readonly attention: Attention | null
  readonly attentionAt: string | null
  readonly sendUntil: string
  readonly sentAt: string | null
  readonly closedAt: string | null
  readonly closedCause: AttemptCause | null
  readonly lateSuccessAt: string | null
  readonly createdAt: string
  readonly updatedAt: string
  readonly version: number
}

/** The columns of `attempt` and `payments` in the form of `StoredAttempt`. */
export const ATTEMPT_COLUMNS = `
  attempt.id,
  attempt.payment_id AS "paymentId",
  payments.owner_id AS "ownerId",
  payments.status,
  payments.amount_minor AS "amountMinor",
  payments.currency,
  attempt.account,
  attempt.reference,
  attempt.state,
  attempt.provider_reference AS "providerReference",
  attempt.provider_transaction_id AS "providerTransactionId",
  attempt.failure,
  attempt.provider_code AS "providerCode",
  attempt.attention,
  ${isoTime('attempt.attention_at')} AS "attentionAt",
  ${isoTime('attempt.send_until')} AS "sendUntil",
  ${isoTime('attempt.sent_at')} AS "sentAt",
  ${isoTime('attempt.closed_at')} AS "closedAt",
  attempt.closed_cause AS "closedCause",
  ${isoTime('attempt.late_success_at')} AS "lateSuccessAt",
  ${isoTime('attempt.created_at')} AS "createdAt",
  ${isoTime('attempt.updated_at')} AS "updatedAt",
  attempt.version`

/** The representation of an attempt in responses. */
export function attemptView(attempt: StoredAttempt) {
  const { paymentId, ownerId, status, amountMinor, currency, ...own } = attempt
  return {
    ...own,
    payment: {
      reference: referenceOf(paymentId),
      owner: ownerId,
      status,
      amount: formatAmount(BigInt(amountMinor), currency),
      currency,
    },
  }
}

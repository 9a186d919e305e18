import type { Message } from '../messages/message-insert.js'
import type { OperatorAction } from '../operator-actions/operator-action.js'
import type { Payment } from '../payments/payment.entity.js'
import type { FailureCode } from '../providers/failures.js'
import type { Attention, AttemptCause, AttemptState } from './states.js'

/** What is concluded from one answer, callback or decision about an attempt. */
export interface Conclusion {
  readonly attemptId: string
  readonly operationId: string
  readonly cause: AttemptCause
  /** The account, or the id of an operator. */
  readonly actor: string
  readonly reason?: string
  /** Undefined if the answer says nothing about the charge. */
  readonly to: AttemptState | undefined
  /** The states in which the conclusion holds, if not all from which `to` can follow. */
  readonly from?: readonly AttemptState[]
  readonly attention?: Attention
  /** With `declined` and `not_sent`. */
  readonly failure?: FailureCode
  readonly providerCode?: string
  readonly providerReference?: string
  readonly transactionId?: string
  /** In minor units, of a success: what the provider states, or the payment's amount. */
  readonly paidMinor?: bigint
  /** Whether the provider has not stated the amount of a success. */
  readonly amountUnverified?: boolean
  /** The delay until the first query after the end, if the payer may still have paid. */
  readonly aftercareSeconds?: number
  /** Stored together with the change. A webhook whose id is stored already changes nothing. */
  readonly evidence?: Message
  /** A stored callback: the id of its message. */
  readonly messageId?: string
  /** Set if an operator causes the conclusion. */
  readonly act?: OperatorAct
  /** Of the replica that made the call. Undefined for a callback, a webhook and an operator. */
  readonly lease?: LeaseEnd
}

/** An operator's action, which is recorded with the conclusion. */
export interface OperatorAct extends Omit<OperatorAction, 'id'> {
  /**
   * Whether the operator ends the attempt or, without `to`, clears its attention. Otherwise a stored message is applied
   * as if the provider had sent it now.
   */
  readonly resolves: boolean
  /** The proposal that is confirmed: it must be open. */
  readonly proposalId?: string
  /** The version that the attempt must still have. */
  readonly version?: number
}

/** How the work continues after a call. It is ignored if another replica holds the lease. */
export interface LeaseEnd {
  readonly id: string
  readonly call: 'send' | 'query'
  /** ISO 8601, by the database's clock. A callback that arrived later makes a query due at once. */
  readonly claimedAt: string
  readonly missed: boolean
  /** Undefined after the last call. An open attempt keeps its row, so that a callback can make it due. */
  readonly nextSeconds: number | undefined
  /** Whether the call does not count, because it was not made. */
  readonly uncounted?: boolean
}

/** The result of a conclusion. */
export const CONCLUSION_OUTCOMES = [
  'applied',
  /** The attempt was in the concluded state already, or the answer said nothing. */
  'unchanged',
  /** The attempt can no longer reach the concluded state. */
  'superseded',
  'late_success',
  'unexpected_success',
  /** The provider reports a failure after an operator has stated a success. */
  'late_failure',
  /** An operator cleared the attention. */
  'cleared',
  /** What an operator has read is no longer the case. Nothing was changed or recorded. */
  'refused',
  /** The webhook's id is stored already. */
  'duplicate',
] as const
export type ConclusionOutcome = (typeof CONCLUSION_OUTCOMES)[number]

export interface Concluded {
  readonly outcome: ConclusionOutcome
  readonly state: AttemptState
  /** After the change, if the payment changed. */
  readonly payment: Payment | undefined
}

import type { Run } from '@malipo/kit/postgres/database'
import { messageValues } from '../messages/message-insert.js'
import { actionValues } from '../operator-actions/action-insert.js'
import { findAction } from '../operator-actions/operator-actions.store.js'
import type { Payment } from '../payments/payment.entity.js'
import { CONCLUDE, CONCLUDE_OPERATED } from './conclude.statement.js'
import type { Concluded, Conclusion, OperatorAct } from './conclusion.js'
import { type AttemptState, statesBefore } from './states.js'

/** What the details of a recorded action say of its result. */
interface Recorded {
  readonly result: Concluded['outcome']
  readonly state: AttemptState
}

type Row = Payment & Pick<Concluded, 'outcome'> & { readonly attemptState: AttemptState }

/**
 * Applies a conclusion.
 *
 * @param retried whether an earlier attempt may have applied it: an operator gets its result, and no conflict
 * @returns undefined if there is no such attempt
 * @throws the error of PostgreSQL if the transaction id belongs to another payment: see `isRepeatedTransaction`
 */
export async function conclude(
  run: Run,
  account: string,
  conclusion: Conclusion,
  retried = false,
): Promise<Concluded | undefined> {
  const { act, operationId } = conclusion
  if (act && retried) {
    const earlier = await findAction<Recorded>(run, operationId)
    if (earlier) return { outcome: earlier.result, state: earlier.state, payment: undefined }
  }
  const input = conclusionInput(account, conclusion)
  const [row] = act
    ? await run<Row>(CONCLUDE_OPERATED, [{ ...input, ...actValues(act, operationId) }])
    : await run<Row>(CONCLUDE, [input])
  if (!row) return undefined
  const { outcome, attemptState: state, ...payment } = row
  return { outcome, state, payment: payment.id ? payment : undefined }
}

/** The input of `CONCLUDE`. */
export function conclusionInput(account: string, conclusion: Conclusion) {
  const { evidence, lease } = conclusion
  return {
    attempt_id: conclusion.attemptId,
    operation_id: conclusion.operationId,
    account,
    cause: conclusion.cause,
    actor: conclusion.actor,
    reason: conclusion.reason,
    to_state: conclusion.to,
    from_states: conclusion.from ?? (conclusion.to && statesBefore(conclusion.to)),
    attention: conclusion.attention,
    failure: conclusion.failure,
    provider_code: conclusion.providerCode,
    provider_reference: conclusion.providerReference,
    transaction_id: conclusion.transactionId,
    paid_minor: conclusion.paidMinor?.toString(),
    amount_unverified: conclusion.amountUnverified,
    aftercare_seconds: conclusion.aftercareSeconds,
    callback_id: conclusion.messageId,
    lease_id: lease?.id,
    call: lease?.call,
    claimed_at: lease?.claimedAt,
    missed: lease?.missed ?? false,
    next_seconds: lease?.nextSeconds,
    counted: lease?.uncounted ? -1 : 0,
    ...(evidence && messageValues(evidence)),
  }
}

function actValues(act: OperatorAct, operationId: string) {
  const { resolves, proposalId, version, ...action } = act
  return {
    ...actionValues({ ...action, id: operationId }),
    resolves,
    proposal_id: proposalId,
    expected_version: version,
  }
}

/** Whether a conclusion failed because its transaction id belongs to another payment of the account. */
export function isRepeatedTransaction(error: unknown): boolean {
  const { constraint } = (error ?? {}) as { constraint?: unknown }
  return constraint === 'payments_transaction_key'
}

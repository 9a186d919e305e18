import type { OperatorAction } from './operator-action.js'

/** SQL fragments for a statement that records an operator's action together with its effect. */

/** The columns of an input relation that `insertActions` reads. */
export const ACTION_COLUMNS = `
  action_id uuid, operator uuid, action text, action_reason text, evidence text, details jsonb`

/** The values of those columns. */
export function actionValues({ id, operator, action, reason, evidence, details }: OperatorAction) {
  return {
    action_id: id,
    operator,
    action,
    action_reason: reason,
    evidence,
    details: details ?? {},
  }
}

/** What an action is about: SQL expressions on the relation `from`. */
interface Subject {
  readonly from: string
  readonly attemptId?: string
  readonly paymentId?: string
  readonly messageId?: string
  readonly proposalId?: string
  readonly details?: string
  readonly where?: string
}

/** A retry of the statement inserts no second row. */
export const insertActions = (of: Subject) => `
  INSERT INTO operator_actions
    (id, at, operator, action, attempt_id, payment_id, message_id, proposal_id, reason, evidence,
     details)
  SELECT
    action_id, now(), operator, action, ${of.attemptId ?? 'NULL'}, ${of.paymentId ?? 'NULL'},
    ${of.messageId ?? 'NULL'}, ${of.proposalId ?? 'NULL'}, action_reason, evidence,
    ${of.details ?? 'details'}
  FROM ${of.from}
  WHERE ${of.where ?? 'true'}
  ON CONFLICT (id) DO NOTHING`

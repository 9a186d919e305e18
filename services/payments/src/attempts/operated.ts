import { adopt } from './adopt.js'
import { ACTION_COLUMNS, insertActions } from '../operator-actions/action-insert.js'

/** SQL that a conclusion has in addition if an operator causes it. Calls of providers have none of it. */
export interface Extension {
  /** Columns of the input. */
  readonly columns: string
  /** Relations that lock rows, after those of all conclusions. */
  readonly locks: string
  /** Decisions that come before the others. */
  readonly decisions: string
  /** Columns that are set of the stored callback. */
  readonly message: string
  /** When the outcome of a callback changes that has one already. */
  readonly messageToo: string
  /** Relations that write rows. */
  readonly records: string
}

export const NOT_OPERATED: Extension = {
  columns: '',
  locks: '',
  decisions: '',
  message: '',
  messageToo: '',
  records: '',
}

/**
 * With `resolves`, the operator ends the attempt, or clears its attention. The attempt must have the version that the
 * operator has read, and the proposal must be open: both are judged on locked rows, so that one of several concurrent
 * confirmations applies. Without it, the operator applies a stored message, as if it had arrived now.
 */
export const OPERATED: Extension = {
  columns: `,
    ${ACTION_COLUMNS}, resolves boolean, proposal_id uuid, expected_version integer`,
  locks: `
), proposal AS MATERIALIZED (
  SELECT proposal.id
  FROM target
  JOIN input USING (nth)
  JOIN attempt_proposals AS proposal ON proposal.id = input.proposal_id
  WHERE proposal.attempt_id = input.attempt_id
    AND proposal.ended_at IS NULL
    AND proposal.expires_at > now()
  ORDER BY proposal.id
  FOR NO KEY UPDATE OF proposal`,
  decisions: `
      WHEN resolves AND expected_version <> version THEN 'refused'
      WHEN resolves AND proposal_id IS NOT NULL AND proposal_id NOT IN (SELECT id FROM proposal)
        THEN 'refused'
      WHEN resolves AND to_state IS NULL AND old_attention IS NOT NULL THEN 'cleared'
      WHEN resolves AND (to_state IS NULL OR state <> ALL (from_states)) THEN 'refused'`,
  message: `,
    ${adopt('ruled')}`,
  messageToo: ` OR message.outcome = 'parked' OR decision NOT IN ('unchanged', 'superseded')`,
  records: `
), confirmed AS (
  UPDATE attempt_proposals AS proposal
  SET ended_as = 'confirmed', ended_by = operator, ended_at = now()
  FROM ruled
  WHERE proposal.id = ruled.proposal_id AND decision IN ('applied', 'cleared')
), recorded AS (${insertActions({
    from: 'ruled',
    attemptId: 'attempt_id',
    paymentId: 'payment_id',
    messageId: 'callback_id',
    proposalId: 'proposal_id',
    details: `details || jsonb_build_object('result', decision, 'state', new_state)`,
    where: `NOT resolves OR decision IN ('applied', 'cleared')`,
  })}`,
}

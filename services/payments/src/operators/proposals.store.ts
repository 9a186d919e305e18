import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { ResolvedState } from '../attempts/states.js'
import { ACTION_COLUMNS, actionValues, insertActions } from '../operator-actions/action-insert.js'
import { findAction } from '../operator-actions/operator-actions.store.js'
import type { FailureCode } from '../providers/failures.js'
import type { Resolution } from './resolution.js'

/** Proposals of operators to resolve attempts. `attempts/operated.ts` confirms them. */

/** A proposal as stored. */
export interface Proposal {
  readonly id: string
  readonly attemptId: string
  readonly attemptVersion: number
  readonly proposedBy: string
  readonly outcome: ResolvedState | null
  readonly transactionId: string | null
  readonly failure: FailureCode | null
  readonly reason: string
  readonly evidence: string | null
  /** ISO 8601. */
  readonly createdAt: string
  readonly expiresAt: string
  /** Whether it was neither confirmed nor cancelled, and has not expired. */
  readonly isOpen: boolean
}

const EXPIRES_AFTER = '24 hours'

const columns = (proposal: string) => `
  ${proposal}.id,
  ${proposal}.attempt_id AS "attemptId",
  ${proposal}.attempt_version AS "attemptVersion",
  ${proposal}.proposed_by AS "proposedBy",
  ${proposal}.outcome,
  ${proposal}.transaction_id AS "transactionId",
  ${proposal}.failure,
  ${proposal}.reason,
  ${proposal}.evidence,
  ${isoTime(`${proposal}.created_at`)} AS "createdAt",
  ${isoTime(`${proposal}.expires_at`)} AS "expiresAt",
  ${proposal}.ended_at IS NULL AND ${proposal}.expires_at > now() AS "isOpen"`

const PROPOSE: Statement = {
  name: 'attempt_propose',
  text: `
WITH input AS (
  SELECT *
  FROM json_to_recordset($1) AS input (
    nth integer, attempt_id uuid, version integer, outcome text, transaction_id text, failure text,
    ${ACTION_COLUMNS}
  )
), proposed AS (
  INSERT INTO attempt_proposals
    (id, attempt_id, attempt_version, proposed_by, outcome, transaction_id, failure, reason, evidence,
     created_at, expires_at)
  SELECT
    action_id, attempt_id, input.version, operator, outcome, transaction_id, input.failure, action_reason,
    evidence, now(), now() + interval '${EXPIRES_AFTER}'
  FROM input
  JOIN payment_attempts AS attempt ON attempt.id = attempt_id AND attempt.version = input.version
  RETURNING *
), recorded AS (${insertActions({
    from: 'input JOIN payment_attempts AS attempt ON attempt.id = attempt_id',
    attemptId: 'attempt_id',
    paymentId: 'attempt.payment_id',
    proposalId: 'action_id',
    where: 'action_id IN (SELECT id FROM proposed)',
  })}
)
SELECT nth, ${columns('proposed')}
FROM proposed
JOIN input ON action_id = proposed.id`,
  batched: { evenIfAborted: true },
}

/**
 * Stores a proposal for an attempt in the version that its operator has read.
 *
 * @param id of the proposal and of the action
 * @returns undefined if the attempt has another version
 */
export async function propose(
  run: Run,
  attempt: { readonly id: string; readonly version: number },
  { id, operator, resolution }: { id: string; operator: string; resolution: Resolution },
  retried: boolean,
): Promise<Proposal | undefined> {
  const { outcome, transactionId, failure, reason, evidence } = resolution
  if (retried) {
    const own = await findProposal(run, attempt.id, id)
    if (own) return own
  }
  const details = { outcome, transactionId, failure }
  const [proposed] = await run<Proposal>(PROPOSE, [
    {
      attempt_id: attempt.id,
      version: attempt.version,
      outcome,
      transaction_id: transactionId,
      failure,
      ...actionValues({ id, operator, action: 'resolve_propose', reason, evidence, details }),
    },
  ])
  return proposed
}

const FIND: Statement = {
  name: 'attempt_proposal_find',
  text: `
SELECT ${columns('attempt_proposals')}
FROM attempt_proposals
WHERE id = $1 AND attempt_id = $2`,
}

export async function findProposal(
  run: Run,
  attemptId: string,
  id: string,
): Promise<Proposal | undefined> {
  const [found] = await run<Proposal>(FIND, [id, attemptId])
  return found
}

/** An attempt shows its newest open proposals. */
const MAX_OPEN = 20

const FIND_OPEN: Statement = {
  name: 'attempt_proposals_find_open',
  text: `
SELECT ${columns('attempt_proposals')}
FROM attempt_proposals
WHERE attempt_id = $1 AND ended_at IS NULL AND expires_at > now()
ORDER BY id DESC
LIMIT ${MAX_OPEN}`,
}

/** The newest open proposals of an attempt, newest first. */
export async function findOpenProposals(run: Run, attemptId: string): Promise<Proposal[]> {
  return run<Proposal>(FIND_OPEN, [attemptId])
}

const CANCEL: Statement = {
  name: 'attempt_proposal_cancel',
  text: `
WITH input AS (
  SELECT * FROM json_to_recordset($1) AS input (nth integer, proposal_id uuid, ${ACTION_COLUMNS})
), cancelled AS (
  UPDATE attempt_proposals AS proposal
  SET ended_as = 'cancelled', ended_by = operator, ended_at = now()
  FROM input
  WHERE proposal.id = proposal_id AND proposed_by = operator AND ended_at IS NULL
  RETURNING proposal.id, proposal.attempt_id
), recorded AS (${insertActions({
    from: `cancelled
  JOIN input ON proposal_id = cancelled.id
  JOIN payment_attempts AS attempt ON attempt.id = cancelled.attempt_id`,
    attemptId: 'cancelled.attempt_id',
    paymentId: 'attempt.payment_id',
    proposalId: 'proposal_id',
  })}
)
SELECT nth
FROM cancelled
JOIN input ON proposal_id = cancelled.id`,
  batched: {
    conflictKeys: ({ proposal_id }: { proposal_id: string }) => [proposal_id],
    evenIfAborted: true,
  },
}

/**
 * Cancels a proposal of the operator.
 *
 * @param id of the action
 * @returns false if it has ended, or is not theirs
 */
export async function cancel(
  run: Run,
  proposalId: string,
  { id, operator }: { id: string; operator: string },
  retried: boolean,
): Promise<boolean> {
  if (retried && (await findAction(run, id))) return true
  const action = actionValues({ id, operator, action: 'resolve_cancel' })
  const rows = await run(CANCEL, [{ proposal_id: proposalId, ...action }])
  return rows.length > 0
}

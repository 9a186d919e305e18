import type { Proposal } from './proposals.store.js'

/** The representation of a proposal in responses. */
export function proposalView(proposal: Proposal) {
  return {
    id: proposal.id,
    attempt: proposal.attemptId,
    attemptVersion: proposal.attemptVersion,
    proposedBy: proposal.proposedBy,
    outcome: proposal.outcome,
    transactionId: proposal.transactionId,
    failure: proposal.failure,
    reason: proposal.reason,
    evidence: proposal.evidence,
    createdAt: proposal.createdAt,
    expiresAt: proposal.expiresAt,
  }
}

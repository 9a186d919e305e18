import { Problem } from '@malipo/kit/http/problem'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { isUUID } from 'class-validator'
import { PACING, type Pacing } from '../attempts/call-runner.js'
import { Clients } from '../attempts/clients.js'
import { isRepeatedTransaction } from '../attempts/conclude.store.js'
import type { OperatorAct } from '../attempts/conclusion.js'
import { Conclusions } from '../attempts/conclusions.service.js'
import { isQueryable } from '../attempts/queryable.js'
import { RESOLUTIONS } from '../attempts/states.js'
import type { Caller } from '../caller/scopes.js'
import {
  attemptChanged,
  noProposal,
  otherProposal,
  ownPayment,
  ownProposal,
  PROBLEMS,
  proposalEnded,
  transactionUsed,
} from '../problems.js'
import { AFTERCARE_SECONDS } from '../providers/schedule.js'
import type { StoredAttempt } from './attempt.view.js'
import { OperatorAttempts } from './operator-attempts.service.js'
import { cancel, findProposal, type Proposal, propose } from './proposals.store.js'
import { contentOf, isSameResolution, obstacle, type Resolution } from './resolution.js'

type Act = Pick<OperatorAct, 'action' | 'proposalId' | 'version'>

/**
 * Resolves attempts by the word of operators. In live, one proposes and another one confirms. An operator resolves no
 * attempt of a payment that they own.
 */
@Injectable()
export class Resolutions {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(OperatorAttempts) private readonly attempts: OperatorAttempts,
    @Inject(Conclusions) private readonly conclusions: Conclusions,
    @Inject(Clients) private readonly clients: Clients,
    @Inject(PACING) private readonly pacing: Pacing,
  ) {}

  /**
   * Resolves an attempt at once, as in the sandbox.
   *
   * @param version of the attempt that the operator has read, if stated
   * @throws Problem 403, 404, 409, or 422 if the transaction id belongs to another payment
   */
  async resolve(caller: Caller, id: string, resolution: Resolution, version: number | undefined) {
    const attempt = await this.judge(caller, id, resolution, version)
    const action = resolution.outcome === undefined ? 'attention_clear' : 'resolve'
    return this.apply(caller, attempt, resolution, { action, version })
  }

  /**
   * Proposes a resolution, which another operator confirms.
   *
   * @throws Problem 403, 404 or 409
   */
  async propose(
    caller: Caller,
    id: string,
    resolution: Resolution,
    version: number | undefined,
  ): Promise<Proposal> {
    const attempt = await this.judge(caller, id, resolution, version)
    const proposal = { id: newUuid(), operator: caller.id, resolution }
    const proposed = await this.database.write((run, retried) =>
      propose(run, attempt, proposal, retried),
    )
    if (!proposed) throw attemptChanged()
    return proposed
  }

  /**
   * Confirms the proposal of another operator, and so resolves the attempt.
   *
   * @param stated the content of the proposal, and the version of the attempt, as the operator has read them
   * @throws Problem 403, 404, 409, or 422 if the transaction id belongs to another payment
   */
  async confirm(
    caller: Caller,
    id: string,
    proposalId: string,
    stated: { resolution: Resolution; version: number | undefined },
  ): Promise<StoredAttempt> {
    const { resolution } = stated
    const attempt = await this.attempts.find(id)
    assertOther(attempt, caller)
    const proposal = await this.find(id, proposalId)
    if (proposal.proposedBy === caller.id) throw ownProposal()
    if (!isSameResolution(contentOf(proposal), resolution)) throw otherProposal()
    if (!proposal.isOpen) throw proposalEnded()
    const version = proposal.attemptVersion
    if (version !== attempt.version || (stated.version ?? version) !== version)
      throw attemptChanged()
    return this.apply(caller, attempt, resolution, {
      action: 'resolve_confirm',
      proposalId,
      version,
    })
  }

  /**
   * Cancels a proposal of the operator.
   *
   * @throws Problem 403, 404 or 409
   */
  async cancel(caller: Caller, id: string, proposalId: string): Promise<void> {
    await this.attempts.find(id)
    const proposal = await this.find(id, proposalId)
    if (proposal.proposedBy !== caller.id) throw ownProposal()
    const action = { id: newUuid(), operator: caller.id }
    const isCancelled = await this.database.write((run, retried) =>
      cancel(run, proposalId, action, retried),
    )
    if (!isCancelled) throw proposalEnded()
  }

  private async judge(
    caller: Caller,
    id: string,
    resolution: Resolution,
    version: number | undefined,
  ): Promise<StoredAttempt> {
    const attempt = await this.attempts.find(id)
    assertOther(attempt, caller)
    if (version !== undefined && version !== attempt.version) throw attemptChanged()
    const reason = obstacle(attempt, resolution)
    if (reason !== undefined) throw new Problem(PROBLEMS.attemptState, reason)
    return attempt
  }

  private async find(attemptId: string, id: string): Promise<Proposal> {
    const found = isUUID(id)
      ? await this.database.read((run) => findProposal(run, attemptId, id))
      : undefined
    if (!found) throw noProposal()
    return found
  }

  /** The statement judges the attempt again, under its lock. */
  private async apply(
    caller: Caller,
    attempt: StoredAttempt,
    resolution: Resolution,
    act: Act,
  ): Promise<StoredAttempt> {
    const { outcome, transactionId, failure, reason, evidence } = resolution
    try {
      const concluded = await this.conclusions.apply(attempt.account, {
        attemptId: attempt.id,
        cause: 'operator',
        actor: caller.id,
        reason,
        to: outcome,
        from: outcome && RESOLUTIONS[outcome],
        transactionId,
        failure,
        aftercareSeconds: this.aftercareOf(attempt),
        act: {
          ...act,
          operator: caller.id,
          reason,
          evidence,
          details: { outcome, transactionId, failure, from: attempt.state },
          resolves: true,
        },
      })
      const isApplied = concluded?.outcome === 'applied' || concluded?.outcome === 'cleared'
      if (!isApplied) throw attemptChanged()
    } catch (error) {
      if (isRepeatedTransaction(error)) throw transactionUsed()
      throw error
    }
    return this.attempts.find(attempt.id)
  }

  /** Unless nothing was sent, the provider is asked again: a person may be wrong about a charge. */
  private aftercareOf({ account, providerReference, state }: StoredAttempt): number | undefined {
    const client = this.clients.find(account)
    const [first = 0] = AFTERCARE_SECONDS
    const mayHaveCharge = state !== 'queued' && client
    return mayHaveCharge && isQueryable(client.adapter, providerReference)
      ? first * this.pacing.scale
      : undefined
  }
}

function assertOther({ ownerId }: StoredAttempt, caller: Caller) {
  if (ownerId === caller.merchant) throw ownPayment()
}

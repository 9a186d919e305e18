import { Problem } from '@malipo/kit/http/problem'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database } from '@malipo/kit/postgres/database'
import { StillRunning } from '@malipo/kit/postgres/retry'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { type Caller, isOperator } from '../caller/scopes.js'
import { type Outcome, replay } from '../idempotency/idempotency.js'
import type { IdempotencyKey } from '../idempotency/key.js'
import { NewAttempts } from '../providers/new-attempts.js'
import { hasProvider, limitReached, noPayment, PROBLEMS } from '../problems.js'
import { PaymentChanges } from '../notifications/payment-changes.js'
import type { Cause } from './payment-event.entity.js'
import { PaymentMetrics } from './payment-metrics.js'
import type { Payment } from './payment.entity.js'
import {
  find,
  findByOperation,
  findVersion,
  insert,
  type NewPayment,
  type Viewer,
} from './payments.store.js'
import { transition, type Transition } from './transition.store.js'
import { INITIAL_STATUS, rejectionOf } from './transitions.js'

/** The validated body of a request to create a payment. */
type CreateBody = Pick<
  NewPayment,
  'currency' | 'paymentMethod' | 'customerPhone' | 'customerEmail' | 'description' | 'metadata'
> & {
  readonly amountMinor: bigint
  /** The name of an account, `manual` or `route`. */
  readonly provider: string | undefined
}

/** The validated body and `If-Match` condition of a request to change a status. */
type StatusChange = Pick<Transition, 'to' | 'versions' | 'providerTransactionId' | 'reason'>

export interface Reply {
  readonly payment: Payment
  /** Whether this is a replay of the first response. */
  readonly replayed?: boolean | undefined
}

/**
 * Creates payments and changes their status. Each write is a single statement that may be retried: a retry
 * finds the effect of an earlier attempt by its operation id or its idempotency key.
 */
@Injectable()
export class PaymentsService {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(PaymentMetrics) private readonly metrics: PaymentMetrics,
    @Inject(NewAttempts) private readonly attempts: NewAttempts,
    @Inject(PaymentChanges) private readonly changes: PaymentChanges,
  ) {}

  /** @throws Problem 409 if the key is in use, 422 if it was used otherwise or no provider takes the payment */
  async create(caller: Caller, input: CreateBody, key: IdempotencyKey | undefined): Promise<Reply> {
    const now = new Date(databaseNow())
    const { provider: _, ...fields } = input
    const id = newUuid(now.getTime())
    const attempt = this.attempts.plan({ ...input, id, merchant: caller.merchant, at: now })
    if (attempt instanceof Problem) return this.replayOrRefuse(caller, key, attempt)
    const payment = {
      ...fields,
      id,
      ownerId: caller.merchant,
      amountMinor: input.amountMinor.toString(),
      account: attempt?.account ?? null,
      providerName: attempt?.adapter ?? null,
      status: INITIAL_STATUS,
      createdAt: now.toISOString(),
    }
    const operationId = newUuid()
    const outcome = await this.database.write<Outcome<Payment>>(async (run, retried) => {
      const inserted = await insert(run, payment, attempt, operationId, key)
      if (inserted && 'limit' in inserted) return { problem: limitReached(inserted.limit) }
      if (inserted) return { resource: inserted }
      if (key) {
        const request = { caller: caller.merchant, key, operationId, retried }
        const replayed = await replay(run, request, (stored) => findVersion(run, stored))
        // Another payment of the payer may have been stored at the same time.
        const isRunning = 'problem' in replayed && replayed.problem.kind === PROBLEMS.keyInUse
        if (isRunning && attempt?.limits) throw new StillRunning()
        return replayed
      }
      // Without a key, only an earlier attempt of this request can have inserted the id.
      const own = await findByOperation(run, operationId)
      if (!own) throw new StillRunning()
      return { resource: own }
    })
    if (attempt && !outcome.replayed) this.attempts.wake(attempt.account)
    return this.reply(outcome, 'create')
  }

  /** A request that no account takes now may repeat one that an account has taken. */
  private async replayOrRefuse(
    caller: Caller,
    key: IdempotencyKey | undefined,
    refusal: Problem,
  ): Promise<Reply> {
    if (!key) throw refusal
    const request = { caller: caller.merchant, key, operationId: newUuid(), retried: false }
    const outcome = await this.database.read((run) =>
      replay(run, request, (stored) => findVersion(run, stored)),
    )
    const isNew = 'problem' in outcome && outcome.problem.kind === PROBLEMS.keyInUse
    if (isNew) throw refusal
    return this.reply(outcome, 'create')
  }

  /** @throws Problem 404 */
  async get(caller: Caller, id: string | undefined): Promise<Payment> {
    const payment = id && (await this.database.read((run) => find(run, id, viewerOf(caller))))
    if (!payment) throw noPayment()
    return payment
  }

  /** @throws Problem 404; 409 or 422 for the key; 412 for `If-Match`; 400 for a transition not allowed */
  async changeStatus(
    caller: Caller,
    id: string | undefined,
    change: StatusChange,
    key: IdempotencyKey | undefined,
  ): Promise<Reply> {
    if (!id) throw noPayment()
    const viewer = viewerOf(caller)
    const operationId = newUuid()
    const input = { ...change, id, viewer, at: new Date(databaseNow()), operationId, key }
    const outcome = await this.database.write<Outcome<Payment>>(async (run, retried) => {
      const decision = await transition(run, input)
      if (decision?.claimed && decision.payment) return { resource: decision.payment }
      if (key && !decision?.claimed) {
        // Check visibility first: a caller who can't see the payment must learn nothing about its keys.
        const payment = await find(run, id, viewer)
        if (!payment) return { problem: noPayment() }
        if (payment.account) return { problem: hasProvider() }
        const request = { caller: viewer.id, key, operationId, retried }
        return replay(run, request, async (stored) => {
          const shown = await findVersion(run, stored)
          return stored.status === 200 ? shown : rejectionOf(stored.status, shown, change.to)
        })
      }
      const own = retried && (await findByOperation(run, operationId))
      if (own) return { resource: own }
      if (!decision) {
        const payment = await find(run, id, viewer)
        return { problem: payment?.account ? hasProvider() : noPayment() }
      }
      return { problem: rejectionOf(decision.responseStatus, decision.current, change.to) }
    })
    return this.reply(outcome, 'status')
  }

  private async reply(outcome: Outcome<Payment>, cause: Cause): Promise<Reply> {
    this.metrics.recordOutcome(outcome, cause)
    // A replay may show a commit that no standby has received yet.
    if (outcome.replayed) await this.database.awaitDurable()
    if ('problem' in outcome) throw outcome.problem
    this.changes.committed(outcome.resource)
    return { payment: outcome.resource, replayed: outcome.replayed }
  }
}

/** A merchant, whose users and API keys see the same; or an operator. */
export function viewerOf(caller: Caller): Viewer & { readonly id: string } {
  const seesAll = isOperator(caller)
  return { id: seesAll ? caller.id : caller.merchant, seesAll }
}

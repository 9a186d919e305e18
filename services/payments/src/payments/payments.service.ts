import { Problem } from '@malipo/kit/http/problem'
import { Database, type Run } from '@malipo/kit/postgres/database'
import { StillRunning } from '@malipo/kit/postgres/retry'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { type Caller, isOperator } from '../caller/scopes.js'
import { type Outcome, replay } from '../idempotency/idempotency.js'
import type { IdempotencyKey } from '../idempotency/key-claim.js'
import type { StoredResponse } from '../idempotency/keys.store.js'
import { noPayment } from '../problems.js'
import type { Cause } from './payment-event.entity.js'
import { PaymentMetrics } from './payment-metrics.js'
import type { Payment } from './payment.entity.js'
import { find, findByOperation, findVersion, insert, type Viewer } from './payments.store.js'
import { rejectionOf } from './rejections.js'
import { transition, type Transition } from './transition.store.js'
import { INITIAL_STATUS, type Status, statusesBefore } from './transitions.js'

/**
 * Creates payments and changes their status. Each write is a single statement that may be retried: a retry
 * finds the effect of an earlier attempt by its operation id or its idempotency key.
 */

/** The validated body of a request to create a payment. */
export type NewPayment = Pick<
  Payment,
  'currency' | 'paymentMethod' | 'customerPhone' | 'customerEmail' | 'description' | 'metadata'
> & { readonly amountMinor: bigint }

/** The validated body and condition of a change of status. */
export type StatusChange = Pick<Transition, 'to' | 'versions' | 'providerTransactionId' | 'reason'>

/** A payment, and whether the response is a replay. */
export interface Reply {
  readonly payment: Payment
  readonly replayed: boolean
}

@Injectable()
export class PaymentsService {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(PaymentMetrics) private readonly metrics: PaymentMetrics,
  ) {}

  /** @throws Problem 409 if the key is in use, 422 if it was used for another request */
  async create(caller: Caller, input: NewPayment, key: IdempotencyKey | undefined): Promise<Reply> {
    const now = new Date()
    const payment = {
      ...input,
      id: newUuid(now.getTime()),
      ownerId: caller.id,
      amountMinor: input.amountMinor.toString(),
      status: INITIAL_STATUS,
      createdAt: now.toISOString(),
    }
    const operationId = newUuid()
    const outcome = await this.database.write<Outcome<Payment>>(async (run, retried) => {
      const inserted = await insert(run, { payment, operationId, key })
      if (inserted) return { resource: inserted, replayed: false }
      if (key) {
        const request = { caller: caller.id, key, operationId, retried }
        return replay(run, request, (stored) => loadStored(run, stored))
      }
      // Without a key, only an earlier attempt of this request can have inserted the id.
      const own = await findByOperation(run, operationId)
      if (!own) throw new StillRunning()
      return { resource: own, replayed: false }
    })
    return this.reply(outcome, 'create')
  }

  /** @throws Problem 404 */
  async get(caller: Caller, id: string | undefined): Promise<Payment> {
    const payment = id && (await this.database.read((run) => find(run, id, viewerOf(caller))))
    if (!payment) throw noPayment()
    return payment
  }

  /**
   * @throws Problem 404; 409 or 422 for the key; 412 for If-Match; 400 for a transition that is not allowed
   */
  async changeStatus(
    caller: Caller,
    id: string | undefined,
    change: StatusChange,
    key: IdempotencyKey | undefined,
  ): Promise<Reply> {
    if (!id) throw noPayment()
    const input: Transition = {
      ...change,
      id,
      viewer: viewerOf(caller),
      from: statusesBefore(change.to),
      at: new Date(),
      operationId: newUuid(),
      key,
    }
    const outcome = await this.database.write<Outcome<Payment>>(async (run, retried) => {
      const decision = await transition(run, input)
      if (decision?.claimed && decision.payment) {
        return { resource: decision.payment, replayed: false }
      }
      if (key && !decision?.claimed) {
        // 404 takes precedence over the key: a caller who can't see the payment must learn nothing about its
        // keys.
        if (!(await find(run, id, input.viewer))) return { problem: noPayment(), replayed: false }
        const request = { caller: caller.id, key, operationId: input.operationId, retried }
        return replay(run, request, (stored) => loadDecided(run, stored, input.to))
      }
      const own = retried && (await findByOperation(run, input.operationId))
      if (own) return { resource: own, replayed: false }
      const problem = decision
        ? rejectionOf(decision.responseStatus, decision, input.to)
        : noPayment()
      return { problem, replayed: false }
    })
    return this.reply(outcome, 'status')
  }

  /**
   * Waits for durability before a replay, because the replayed row may come from a commit that no standby has
   * received yet.
   */
  private async reply(outcome: Outcome<Payment>, cause: Cause): Promise<Reply> {
    this.metrics.recordOutcome(outcome, cause)
    if (outcome.replayed) await this.database.awaitDurable()
    if ('problem' in outcome) throw outcome.problem
    return { payment: outcome.resource, replayed: outcome.replayed }
  }
}

/** The payment shown by a stored 2xx response. */
function loadStored(run: Run, { resourceId, resourceVersion }: StoredResponse): Promise<Payment> {
  return findVersion(run, resourceId, resourceVersion)
}

/** The payment or the rejection that a stored response to a transition refers to. */
async function loadDecided(
  run: Run,
  stored: StoredResponse,
  to: Status,
): Promise<Payment | Problem> {
  const payment = await loadStored(run, stored)
  return stored.status === 200 ? payment : rejectionOf(stored.status, payment, to)
}

export function viewerOf(caller: Caller): Viewer {
  return { id: caller.id, seesAll: isOperator(caller) }
}

import { Database, type Run } from '@malipo/kit/postgres/database'
import { Problem } from '@malipo/kit/http/problem'
import { StillRunning } from '@malipo/kit/postgres/retry'
import { Inject, Injectable } from '@nestjs/common'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { type Caller, isOperator } from '../caller/scopes.js'
import { inUse, type Outcome, replay } from '../idempotency/idempotency.js'
import type { Keyed } from '../idempotency/keyed.js'
import { PROBLEMS } from '../problems.js'
import type { Cause } from './payment-event.entity.js'
import { PaymentMetrics } from './payment-metrics.js'
import type { Payment } from './payment.entity.js'
import { find, insert, madeBy, type Reader } from './payments.store.js'
import { refusal } from './refusal.js'
import { transition, type Transition } from './transition.store.js'
import { FIRST, type Status, statusesBefore } from './transitions.js'

/**
 * Payments are made and moved here. Each write is decided by the database in one statement that may be
 * sent again: by its operation id a request knows what an earlier try of its own did, and an answer that
 * was found rather than made is given only when it is kept.
 */

/** What a client asks for, parsed. */
export type NewPayment = Pick<
  Payment,
  'currency' | 'paymentMethod' | 'customerPhone' | 'customerEmail' | 'description' | 'metadata'
> & { readonly amountMinor: bigint }

/** What a client asks of a payment's status, parsed. */
export interface Move {
  readonly to: Status
  readonly versions: readonly number[] | undefined
  readonly providerTransactionId: string | undefined
  readonly reason: string | undefined
}

/** An answer, and whether it was given before. */
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

  /** @throws Problem 409 or 422 for a key in use or of another request */
  async create(caller: Caller, wish: NewPayment, keyed: Keyed | undefined): Promise<Reply> {
    const now = new Date()
    const id = newUuid(now.getTime())
    const createdAt = now.toISOString()
    const amountMinor = wish.amountMinor.toString()
    const payment = { ...wish, id, ownerId: caller.id, amountMinor, status: FIRST, createdAt }
    const insertion = { payment, operationId: newUuid(), keyed }
    const made = await this.database.write<Outcome>(async (run, retried) => {
      const inserted = await insert(run, insertion)
      if (inserted) return { payment: inserted, replayed: false }
      if (keyed) return this.replayed(run, caller, keyed, insertion.operationId, retried)
      // Without a key only an earlier try of this very request can have taken the id.
      const earlier = await madeBy(run, insertion.operationId)
      if (!earlier) throw new StillRunning()
      return { payment: earlier, replayed: false }
    })
    return this.kept(made, 'create')
  }

  /** @throws Problem 404 */
  async get(caller: Caller, id: string | undefined): Promise<Payment> {
    const found = id && (await this.database.read((run) => find(run, id, readerOf(caller))))
    if (!found) throw noPayment()
    return found
  }

  /** @throws Problem 404, 409 or 422 for the key, 412, 400 for what the table does not allow */
  async move(
    caller: Caller,
    id: string | undefined,
    move: Move,
    keyed: Keyed | undefined,
  ): Promise<Reply> {
    if (!id) throw noPayment()
    const wish: Transition = {
      ...move,
      id,
      reader: readerOf(caller),
      from: statusesBefore(move.to),
      at: new Date(),
      operationId: newUuid(),
      keyed,
    }
    const moved = await this.database.write<Outcome>(async (run, retried) => {
      const verdict = await transition(run, wish)
      if (verdict?.decided && verdict.payment) return { payment: verdict.payment, replayed: false }
      if (keyed && !verdict?.decided) return this.moveReplayed(run, caller, wish, keyed, retried)
      const earlier = retried && (await madeBy(run, wish.operationId))
      if (earlier) return { payment: earlier, replayed: false }
      if (!verdict) return { problem: noPayment(), replayed: false }
      const answer = verdict.answer === 412 ? 412 : 400
      return { problem: refusal({ ...verdict, answer }), replayed: false }
    })
    return this.kept(moved, 'status')
  }

  /** A payment that is not there for the caller is 404 before its key is looked at. */
  private async moveReplayed(
    run: Run,
    caller: Caller,
    wish: Transition,
    keyed: Keyed,
    retried: boolean,
  ): Promise<Outcome> {
    if (!(await find(run, wish.id, wish.reader))) return { problem: noPayment(), replayed: false }
    return this.replayed(run, caller, keyed, wish.operationId, retried)
  }

  private async replayed(
    run: Run,
    caller: Caller,
    keyed: Keyed,
    operationId: string,
    retried: boolean,
  ): Promise<Outcome> {
    const replayed = await replay(run, caller.id, keyed, operationId)
    if (replayed) return replayed
    // The one that runs may be an earlier try of this request, whose connection was lost.
    if (retried) throw new StillRunning()
    return { problem: inUse(), replayed: false }
  }

  /** What was found, not made, may be a commit that no standby has yet. */
  private async kept(outcome: Outcome, cause: Cause): Promise<Reply> {
    this.metrics.became(outcome, cause)
    if (outcome.replayed) await this.database.awaitDurable()
    if ('problem' in outcome) throw outcome.problem
    return outcome
  }
}

export function readerOf(caller: Caller): Reader {
  return { id: caller.id, everyone: isOperator(caller) }
}

export function noPayment(): Problem {
  return new Problem(PROBLEMS.noPayment, 'There is no payment with this reference for you.')
}

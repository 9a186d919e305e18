import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { PaymentMetrics } from '../payments/payment-metrics.js'
import { PaymentChanges } from '../notifications/payment-changes.js'
import { AttemptMetrics } from './attempt-metrics.js'
import { conclude, isRepeatedTransaction } from './conclude.store.js'
import type { Concluded, Conclusion } from './conclusion.js'

/** Applies conclusions about attempts: those of workers, callbacks, webhooks and operators. */
@Injectable()
export class Conclusions {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(PaymentMetrics) private readonly payments: PaymentMetrics,
    @Inject(AttemptMetrics) private readonly metrics: AttemptMetrics,
    @Inject(PaymentChanges) private readonly changes: PaymentChanges,
  ) {}

  /**
   * Applies a conclusion about an attempt of `account`. A success whose transaction id belongs to another payment
   * changes no status: an operator must look.
   *
   * @returns undefined if there is no such attempt
   * @throws the error of `isRepeatedTransaction`, if an operator states the success
   */
  async apply(
    account: string,
    conclusion: Omit<Conclusion, 'operationId'>,
  ): Promise<Concluded | undefined> {
    const result = await this.write(account, conclusion)
    if (!result) return undefined
    this.metrics.recordConclusion(account, conclusion, result)
    const { payment } = result
    if (payment) this.changes.committed(payment)
    if (payment && result.outcome === 'applied') {
      this.payments.recordTransition(payment, 'attempt')
    }
    return result
  }

  /** Announces a change of a payment that a claim has made. */
  announce(id: string, ownerId: string): void {
    this.changes.committed({ id, ownerId })
  }

  private async write(account: string, conclusion: Omit<Conclusion, 'operationId'>) {
    const operationId = newUuid()
    try {
      return await this.database.write((run, retried) =>
        conclude(run, account, { ...conclusion, operationId }, retried),
      )
    } catch (error) {
      if (!isRepeatedTransaction(error) || conclusion.act?.resolves) throw error
      const flagged = {
        ...conclusion,
        operationId: newUuid(),
        to: undefined,
        transactionId: undefined,
        attention: 'duplicate_transaction' as const,
      }
      return this.database.write((run, retried) => conclude(run, account, flagged, retried))
    }
  }
}

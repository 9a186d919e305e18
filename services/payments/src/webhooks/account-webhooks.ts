import { Database } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import { PACING, type Pacing } from '../attempts/call-runner.js'
import { findAttemptOf, type FoundAttempt } from '../attempts/attempt.store.js'
import type { Concluded } from '../attempts/conclusion.js'
import { Conclusions } from '../attempts/conclusions.service.js'
import type { Payment } from '../payments/payment.entity.js'
import { find } from '../payments/payments.store.js'
import { transitionNotAllowed } from '../payments/transitions.js'
import { type FailureCode, FAILURES, isFailureCode } from '../providers/failures.js'
import { AFTERCARE_SECONDS } from '../providers/schedule.js'
import { noPayment, otherAmount, webhookReused } from '../problems.js'
import { type IncomingWebhook, messageOf } from './messages.store.js'
import { findStored } from './stored-webhook.js'
import type { Result } from './webhook-result.js'

/** Applies the signed webhooks of provider accounts, each to the attempt of its payment. */
@Injectable()
export class AccountWebhooks {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Conclusions) private readonly conclusions: Conclusions,
    @Inject(PACING) private readonly pacing: Pacing,
  ) {}

  /** @param failureCode the stated reason of a failure */
  async apply(webhook: IncomingWebhook, failureCode: string | undefined): Promise<Result> {
    const { paymentId, actor: account, reading } = webhook
    const attempt = paymentId && (await this.database.read((run) => findAttemptOf(run, paymentId)))
    const isOwn = attempt && attempt.account === account
    if (!isOwn) return this.reject(webhook, attempt ? 'other_account' : 'unknown_payment')
    if (reading.status === 'INITIATED') {
      return { outcome: 'premature', problem: transitionNotAllowed('INITIATED', 'INITIATED') }
    }
    const to = { PENDING: 'accepted', SUCCESS: 'succeeded', FAILED: 'declined' } as const
    const isOther = reading.status === 'SUCCESS' && !isAmountOf(webhook, attempt)
    const [firstAftercare = 0] = AFTERCARE_SECONDS
    const failure = reading.status === 'FAILED' ? failureOf(failureCode) : undefined
    const mayStillSucceed = failure !== undefined && FAILURES[failure].mayStillSucceed
    const concluded = await this.conclusions.apply(account, {
      attemptId: attempt.attemptId,
      cause: 'webhook',
      actor: account,
      to: isOther ? undefined : to[reading.status],
      attention: isOther ? 'amount_mismatch' : undefined,
      failure,
      providerCode: failureCode,
      transactionId: reading.status === 'SUCCESS' ? reading.providerTransactionId : undefined,
      paidMinor: webhook.amountMinor,
      aftercareSeconds: mayStillSucceed ? firstAftercare * this.pacing.scale : undefined,
      evidence: messageOf(webhook),
    })
    return this.resultOf(webhook, concluded, isOther)
  }

  private async resultOf(
    webhook: IncomingWebhook,
    concluded: Concluded | undefined,
    isOther: boolean,
  ): Promise<Result> {
    if (concluded?.outcome === 'duplicate') return this.reject(webhook, 'unknown_payment')
    if (isOther) return { outcome: 'other_amount', problem: otherAmount() }
    const payment = concluded?.payment ?? (await this.find(webhook))
    if (!payment) return { outcome: 'unknown_payment', problem: noPayment() }
    return { outcome: concluded?.outcome === 'applied' ? 'applied' : 'superseded', payment }
  }

  /** A webhook may reuse a stored id, whatever payment it names. */
  private async reject(
    webhook: IncomingWebhook,
    outcome: 'other_account' | 'unknown_payment',
  ): Promise<Result> {
    const stored = await this.database.write((run) => findStored(run, webhook))
    if (stored === 'conflict') return { outcome: 'conflict', problem: webhookReused() }
    if (stored) return { outcome: 'duplicate', payment: stored.payment }
    return { outcome, problem: noPayment() }
  }

  private async find({ paymentId, viewer }: IncomingWebhook): Promise<Payment | undefined> {
    if (paymentId === undefined) return undefined
    return this.database.read((run) => find(run, paymentId, viewer))
  }
}

/** Whether the stated money is that of the payment, or none is stated: live requires a statement. */
function isAmountOf(
  { amountMinor, reading }: IncomingWebhook,
  attempt: Pick<FoundAttempt, 'amountMinor' | 'currency'>,
): boolean {
  const isAmount = amountMinor === undefined || amountMinor === BigInt(attempt.amountMinor)
  return isAmount && (reading.currency ?? attempt.currency) === attempt.currency
}

/** A reason that is missing or unknown is the provider's own. */
function failureOf(code: string | undefined): FailureCode {
  return code !== undefined && isFailureCode(code) ? code : 'provider_error'
}

import { parseTime } from '@malipo/kit/http/time'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database, type Run } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { isRepeatedTransaction } from '../attempts/conclude.store.js'
import { parseAmount } from '../money/money.js'
import { PaymentMetrics } from '../payments/payment-metrics.js'
import { idOf } from '../payments/payment.view.js'
import { find } from '../payments/payments.store.js'
import { transitionNotAllowed } from '../payments/transitions.js'
import { MANUAL } from '../providers/accounts.js'
import { hasProvider, noPayment, otherAmount, transactionUsed, webhookReused } from '../problems.js'
import { AccountWebhooks } from './account-webhooks.js'
import { REJECTED, type Result, SUCCEEDED } from './webhook-result.js'
import { findStored } from './stored-webhook.js'
import { type IncomingWebhook } from './messages.store.js'
import { PaymentChanges } from '../notifications/payment-changes.js'
import type { VerifiedSignature } from './signature.js'
import { WebhookDto } from './webhooks.dto.js'
import { apply } from './webhooks.store.js'

/** The sender of a webhook: a provider (authenticated by a signature) or a user (by a token). */
export type Sender =
  | { readonly kind: 'provider'; readonly signature: VerifiedSignature }
  | { readonly kind: 'user'; readonly id: string }

const WEBHOOKS = {
  name: 'webhooks_total',
  help: 'Webhooks by outcome. 2xx: applied, superseded, duplicate. Rejected: premature, conflict (reused id), other_amount, repeated_transaction, unknown_payment, other_account, bad_signature',
  label: 'outcome',
}
@Injectable()
export class WebhookMetrics {
  readonly outcomes

  constructor(@Inject(Registry) registry: Registry) {
    this.outcomes = countBy(registry, WEBHOOKS, [...SUCCEEDED, ...REJECTED, 'bad_signature'])
  }
}

/**
 * Applies the webhooks of providers, which may send them late, twice, out of order or never. A webhook id is
 * applied at most once. Every duplicate gets 200 with the payment, because a provider repeats a webhook until
 * it gets 2xx. If a webhook is premature or its payment does not exist, nothing is stored, so that a later
 * delivery can still be applied.
 *
 * A provider moves only the payments of its account; the provider `manual` and users move only manual payments.
 */
@Injectable()
export class WebhooksService {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(PaymentMetrics) private readonly paymentMetrics: PaymentMetrics,
    @Inject(WebhookMetrics) private readonly metrics: WebhookMetrics,
    @Inject(AccountWebhooks) private readonly ofAccounts: AccountWebhooks,
    @Inject(PaymentChanges) private readonly changes: PaymentChanges,
  ) {}

  /**
   * @param webhookId the signed id, or the id in the body
   * @param bytes the body as received, stored as evidence
   * @param isLive whether a transaction id must be unique among the successes of its provider
   * @throws Problem 400 if the payment can't have this status yet, 404 if the sender can see no such payment, 422 if the id was reused or the amount is another one
   */
  async receive(
    sender: Sender,
    webhookId: string,
    body: WebhookDto,
    bytes: Buffer,
    isLive: boolean,
  ) {
    const webhook = incomingWebhook(sender, webhookId, body, bytes, isLive)
    const isManual = sender.kind === 'user' || sender.signature.provider === MANUAL
    const result = isManual
      ? await this.applyToManual(webhook)
      : await this.ofAccounts.apply(webhook, body.failure?.code)
    this.metrics.outcomes[result.outcome].inc()
    // A duplicate may show a commit that no standby has received yet.
    if (result.outcome === 'duplicate') await this.database.awaitDurable()
    if ('problem' in result) throw result.problem
    this.changes.committed(result.payment)
    return result.payment
  }

  private async applyToManual(webhook: IncomingWebhook): Promise<Result> {
    try {
      const result = await this.database.write((run) => applyOnce(run, webhook))
      if (result.outcome === 'applied') {
        this.paymentMetrics.recordTransition(result.payment, 'webhook')
      }
      return result
    } catch (error) {
      if (!isRepeatedTransaction(error)) throw error
      return { outcome: 'repeated_transaction', problem: transactionUsed() }
    }
  }
}

async function applyOnce(run: Run, webhook: IncomingWebhook): Promise<Result> {
  const result = await apply(run, webhook)
  if (result?.payment) return { outcome: 'applied', payment: result.payment }
  // A webhook may reuse a stored id even if it is premature or its payment does not exist.
  const stored = await findStored(run, webhook)
  if (!stored) return rejectionOf(run, webhook, result)
  if (stored === 'conflict') return { outcome: 'conflict', problem: webhookReused() }
  const { storedOutcome, operationId, payment } = stored
  if (result?.outcome === 'superseded') return { outcome: 'superseded', payment }
  // If an earlier attempt of this request stored the webhook and lost its connection, it is no duplicate.
  const isOwn = operationId === webhook.operationId
  return { outcome: isOwn ? storedOutcome : 'duplicate', payment }
}

async function rejectionOf(
  run: Run,
  { paymentId, viewer, reading }: IncomingWebhook,
  result: Awaited<ReturnType<typeof apply>>,
): Promise<Result> {
  if (result?.outcome === 'premature') {
    const problem = transitionNotAllowed(result.currentStatus, reading.status)
    return { outcome: 'premature', problem }
  }
  if (result?.outcome === 'other_amount') return { outcome: 'other_amount', problem: otherAmount() }
  const payment = paymentId && (await find(run, paymentId, viewer))
  if (!payment || !payment.account) return { outcome: 'unknown_payment', problem: noPayment() }
  // To another provider, the payment does not exist.
  const problem = viewer.seesAll ? noPayment() : hasProvider()
  return { outcome: 'other_account', problem }
}

function incomingWebhook(
  sender: Sender,
  webhookId: string,
  body: WebhookDto,
  bytes: Buffer,
  isLive: boolean,
): IncomingWebhook {
  const { reference, status, providerTransactionId, amount, currency, failure } = body
  const signature = sender.kind === 'provider' ? sender.signature : undefined
  const actor = sender.kind === 'provider' ? sender.signature.provider : sender.id
  const hasKey = isLive && signature !== undefined && status === 'SUCCESS'
  return {
    source: `${sender.kind}:${actor}`,
    webhookId,
    paymentId: idOf(reference),
    reading: {
      reference,
      status,
      providerTransactionId,
      ...(amount !== undefined && { amount }),
      ...(currency !== undefined && { currency }),
      ...(failure !== undefined && { failure }),
    },
    // `IsTime` has already rejected times that can't be parsed, and `IsAmount` amounts.
    occurredAt: parseTime(body.timestamp) as Date,
    amountMinor: amount === undefined ? undefined : (parseAmount(amount, currency ?? '') as bigint),
    transactionKey: hasKey ? `${actor} ${providerTransactionId}` : undefined,
    bytes,
    signature,
    // A provider sees every payment, a user only their own.
    viewer: { id: signature ? undefined : actor, seesAll: signature !== undefined },
    actor,
    at: new Date(databaseNow()),
    operationId: newUuid(),
  }
}

import { Problem } from '@malipo/kit/http/problem'
import { parseTime } from '@malipo/kit/http/time'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database, type Run } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { PaymentMetrics } from '../payments/payment-metrics.js'
import type { Payment } from '../payments/payment.entity.js'
import { idOf } from '../payments/payment.view.js'
import { transitionNotAllowed } from '../payments/transitions.js'
import { noPayment, webhookReused } from '../problems.js'
import { type IncomingWebhook, storeConflict } from './messages.store.js'
import type { VerifiedSignature } from './signature.js'
import { WebhookDto } from './webhooks.dto.js'
import { apply, findWebhook } from './webhooks.store.js'

/** The sender of a webhook: a provider (authenticated by a signature) or a user (by a token). */
export type Sender =
  | { readonly kind: 'provider'; readonly signature: VerifiedSignature }
  | { readonly kind: 'user'; readonly id: string }

const WEBHOOKS = {
  name: 'webhooks_total',
  help: 'Webhooks by outcome. 2xx: applied, superseded, duplicate. Rejected: premature, conflict (reused id), unknown_payment, bad_signature',
  label: 'outcome',
}
const SUCCEEDED = ['applied', 'superseded', 'duplicate'] as const
const REJECTED = ['premature', 'conflict', 'unknown_payment'] as const

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
 */
@Injectable()
export class WebhooksService {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(PaymentMetrics) private readonly paymentMetrics: PaymentMetrics,
    @Inject(WebhookMetrics) private readonly metrics: WebhookMetrics,
  ) {}

  /**
   * @param webhookId the signed id, or the id in the body
   * @param bytes the body as received, stored as evidence
   * @throws Problem 400 if the payment can't have this status yet, 404 if the sender can see no such payment, 422 if the id was reused
   */
  async receive(sender: Sender, webhookId: string, body: WebhookDto, bytes: Buffer) {
    const webhook = incomingWebhook(sender, webhookId, body, bytes)
    const result = await this.database.write((run) => applyOnce(run, webhook))
    this.metrics.outcomes[result.outcome].inc()
    if (result.outcome === 'applied')
      this.paymentMetrics.recordTransition(result.payment, 'webhook')
    // A duplicate may show a commit that no standby has received yet.
    if (result.outcome === 'duplicate') await this.database.awaitDurable()
    if ('problem' in result) throw result.problem
    return result.payment
  }
}

type Result =
  | { readonly outcome: (typeof SUCCEEDED)[number]; readonly payment: Payment }
  | { readonly outcome: (typeof REJECTED)[number]; readonly problem: Problem }

async function applyOnce(run: Run, webhook: IncomingWebhook): Promise<Result> {
  const result = await apply(run, webhook)
  if (result?.payment) return { outcome: 'applied', payment: result.payment }
  // A webhook may reuse a stored id even if it is premature or its payment does not exist.
  const stored = await findWebhook(run, webhook)
  if (!stored) {
    if (result?.outcome !== 'premature') return { outcome: 'unknown_payment', problem: noPayment() }
    const problem = transitionNotAllowed(result.currentStatus, webhook.reading.status)
    return { outcome: 'premature', problem }
  }
  const { paymentId, storedStatus, storedOutcome, operationId, ...payment } = stored
  if (paymentId !== webhook.paymentId || storedStatus !== webhook.reading.status) {
    await storeConflict(run, webhook)
    return { outcome: 'conflict', problem: webhookReused() }
  }
  if (result?.outcome === 'superseded') return { outcome: 'superseded', payment }
  // If an earlier attempt of this request stored the webhook and lost its connection, it is no duplicate.
  const isOwn = operationId === webhook.operationId
  return { outcome: isOwn ? storedOutcome : 'duplicate', payment }
}

function incomingWebhook(
  sender: Sender,
  webhookId: string,
  { reference, status, providerTransactionId, timestamp }: WebhookDto,
  bytes: Buffer,
): IncomingWebhook {
  const signature = sender.kind === 'provider' ? sender.signature : undefined
  const actor = sender.kind === 'provider' ? sender.signature.provider : sender.id
  return {
    source: `${sender.kind}:${actor}`,
    webhookId,
    paymentId: idOf(reference),
    reading: { reference, status, providerTransactionId },
    // `IsTime` has already rejected times that can't be parsed.
    occurredAt: parseTime(timestamp) as Date,
    bytes,
    signature,
    // A provider sees every payment, a user only their own.
    viewer: { id: signature ? undefined : actor, seesAll: signature !== undefined },
    actor,
    at: new Date(databaseNow()),
    operationId: newUuid(),
  }
}

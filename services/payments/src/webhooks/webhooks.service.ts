import { Database, type Run } from '@malipo/kit/postgres/database'
import { Problem } from '@malipo/kit/http/problem'
import { Inject, Injectable } from '@nestjs/common'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { PaymentMetrics } from '../payments/payment-metrics.js'
import type { Payment } from '../payments/payment.entity.js'
import { noPayment } from '../payments/payments.service.js'
import { idOf } from '../payments/reference.js'
import { refusal } from '../payments/refusal.js'
import { statusesBefore, statusesFarBefore } from '../payments/transitions.js'
import { PROBLEMS } from '../problems.js'
import type { Sender } from './webhook.guard.js'
import { WebhookMetrics } from './webhook-metrics.js'
import { WebhookDto } from './webhooks.dto.js'
import { type Arrival, type Arrived, arrive, keepConflict, known } from './webhooks.store.js'

/**
 * Providers' news of payments, which come late, twice, out of order or never. An id is applied at most
 * once; every repeat of it is answered 200 with the payment, for a provider that is told anything else
 * goes on repeating. What came too early or for no payment leaves no trace, so its next try counts.
 */
@Injectable()
export class WebhooksService {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(PaymentMetrics) private readonly metrics: PaymentMetrics,
    @Inject(WebhookMetrics) private readonly arrivals: WebhookMetrics,
  ) {}

  /**
   * @param webhookId the signed one, or the body's
   * @param payload the body as it came, kept as evidence
   * @throws Problem 400 too early, 404 no such payment for this sender, 422 the id of another webhook
   */
  async receive(sender: Sender, webhookId: string, body: WebhookDto, payload: unknown) {
    const arrival = arrivalOf(sender, webhookId, body, payload)
    const settled = await this.database.write((run) => settle(run, arrival))
    this.arrivals.outcomes[settled.became].inc()
    if (settled.became === 'applied') this.metrics.moved(settled.payment, 'webhook')
    if (settled.became === 'repeat') await this.database.awaitDurable()
    if ('problem' in settled) throw settled.problem
    return settled.payment
  }
}

type Settled =
  | { readonly became: 'applied' | 'superseded' | 'repeat'; readonly payment: Payment }
  | { readonly became: 'early' | 'conflict' | 'unknown'; readonly problem: Problem }

async function settle(run: Run, arrival: Arrival): Promise<Settled> {
  const arrived = await arrive(run, arrival)
  if (arrived?.payment) return { became: 'applied', payment: arrived.payment }
  // What is too early, or for no payment, may be a known id with another content.
  const kept = await known(run, arrival)
  if (!kept) return untraced(arrived)
  const { paymentId, toldStatus, operationId, ...payment } = kept
  if (paymentId !== arrival.paymentId || toldStatus !== arrival.status) {
    await keepConflict(run, arrival)
    return { became: 'conflict', problem: reused() }
  }
  if (arrived?.outcome === 'superseded') return { became: 'superseded', payment }
  // An earlier try of this very request, whose answer was lost, is no repeat.
  const isOwn = operationId === arrival.operationId
  return { became: isOwn ? 'applied' : 'repeat', payment }
}

function untraced(arrived: Arrived | undefined): Settled {
  if (arrived?.outcome !== 'early') return { became: 'unknown', problem: noPayment() }
  const { seenStatus } = arrived
  return { became: 'early', problem: refusal({ answer: 400, seenStatus, seenVersion: null }) }
}

function reused(): Problem {
  const detail = 'This webhook id came before with another reference or status.'
  return new Problem(PROBLEMS.webhookReused, detail)
}

function arrivalOf(sender: Sender, webhookId: string, body: WebhookDto, payload: unknown): Arrival {
  const isProvider = sender.kind === 'provider'
  const actor = isProvider ? sender.name : sender.id
  return {
    source: `${sender.kind}:${actor}`,
    webhookId,
    paymentId: idOf(body.reference),
    reference: body.reference,
    // A provider knows payments by their reference alone; a user has but their own.
    reader: { id: isProvider ? undefined : sender.id, everyone: isProvider },
    status: body.status,
    from: statusesBefore(body.status),
    tooEarlyFrom: statusesFarBefore(body.status),
    providerName: isProvider ? sender.name : undefined,
    providerTransactionId: body.providerTransactionId,
    payload,
    actor,
    at: new Date(),
    operationId: newUuid(),
  }
}

import type { PaymentEvent } from './payment-event.entity.js'
import type { Payment } from './payment.entity.js'
import { formatAmount } from './money.js'
import { referenceOf } from './reference.js'

/** The representation of a payment in responses. */
export function paymentView(payment: Payment) {
  return {
    id: payment.id,
    reference: referenceOf(payment.id),
    amount: formatAmount(BigInt(payment.amountMinor), payment.currency),
    currency: payment.currency,
    paymentMethod: payment.paymentMethod,
    customerPhone: payment.customerPhone,
    customerEmail: payment.customerEmail,
    description: payment.description,
    metadata: payment.metadata,
    status: payment.status,
    providerName: payment.providerName,
    providerTransactionId: payment.providerTransactionId,
    lastWebhookId: payment.lastWebhookId,
    lastWebhookAt: payment.lastWebhookAt,
    createdAt: payment.createdAt,
    updatedAt: payment.updatedAt,
    version: payment.version,
  }
}

/** The representation of an event in responses. */
export function eventView(event: PaymentEvent) {
  return {
    from: event.fromStatus,
    to: event.toStatus,
    at: event.at,
    actor: event.actor,
    cause: event.cause,
    webhookId: event.cause === 'webhook' ? event.lastWebhookId : null,
    reason: event.reason,
  }
}

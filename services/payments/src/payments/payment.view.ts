import { FAILURES } from '../providers/failures.js'
import { MANUAL } from '../providers/accounts.js'
import { formatAmount } from '../money/money.js'
import type { PaymentEvent } from './payment-event.entity.js'
import type { Payment } from './payment.entity.js'

/** `PAY-` and the payment's UUIDv7. One index serves ids and references; both sort by time of creation. */
export const REFERENCE = /^PAY-([\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12})$/

export function referenceOf(id: string): string {
  return `PAY-${id}`
}

/** The payment id in a reference; undefined for a string that is not a reference. */
export function idOf(reference: string): string | undefined {
  return REFERENCE.exec(reference)?.[1]
}

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
    failure: failureView(payment),
    lateSuccess: lateSuccessView(payment),
    provider: payment.account ?? MANUAL,
    needsAttention: payment.needsAttention,
    amountUnverified: payment.amountUnverified,
    providerName: payment.providerName,
    providerTransactionId: payment.providerTransactionId,
    lastWebhookId: payment.lastWebhookId,
    lastWebhookAt: payment.lastWebhookAt,
    createdAt: payment.createdAt,
    updatedAt: payment.updatedAt,
    version: payment.version,
  }
}

function failureView({ failure, providerCode }: Payment) {
  return failure && { code: failure, message: FAILURES[failure].message, providerCode }
}

function lateSuccessView({ lateSuccess, currency }: Payment) {
  if (!lateSuccess) return null
  const { amountMinor, providerTransactionId, at } = lateSuccess
  const amount = formatAmount(BigInt(amountMinor), currency)
  return { amount, providerTransactionId, at: new Date(at).toISOString() }
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
    evidence: event.messageId,
    reason: event.reason,
  }
}

import type { EventType } from '../notifications/events.js'
import type { Payment } from '../payments/payment.entity.js'
import { paymentView } from '../payments/payment.view.js'

/**
 * The body of a notification of a payment: `data` is what `GET /api/payments/{reference}` answers at that version.
 *
 * @param occurredAt ISO 8601
 */
export function paymentBody(type: EventType, occurredAt: string, payment: Payment): string {
  return JSON.stringify({ type, timestamp: occurredAt, data: paymentView(payment) })
}

import { isoTime } from '@malipo/kit/postgres/iso-time'

/** The columns of a payment under its entity's names, in the current state or as of `event`. */
export function paymentColumns(payment: string, event?: string) {
  const state = event ?? payment
  const [status, updatedAt] = event ? ['to_status', 'at'] : ['status', 'updated_at']
  return `
    ${payment}.id,
    ${payment}.owner_id AS "ownerId",
    ${payment}.amount_minor AS "amountMinor",
    ${payment}.currency,
    ${payment}.payment_method AS "paymentMethod",
    ${payment}.customer_phone AS "customerPhone",
    ${payment}.customer_email AS "customerEmail",
    ${payment}.description,
    ${payment}.metadata,
    ${payment}.account,
    ${isoTime(`${payment}.created_at`)} AS "createdAt",
    ${state}.${status} AS status,
    ${state}.provider_name AS "providerName",
    ${state}.provider_transaction_id AS "providerTransactionId",
    ${state}.last_webhook_id AS "lastWebhookId",
    ${isoTime(`${state}.last_webhook_at`)} AS "lastWebhookAt",
    ${state}.failure,
    ${state}.provider_code AS "providerCode",
    ${state}.needs_attention AS "needsAttention",
    ${state}.amount_unverified AS "amountUnverified",
    ${state}.late_success AS "lateSuccess",
    ${isoTime(`${state}.${updatedAt}`)} AS "updatedAt",
    ${state}.version`
}

/**
 * Formats a time as on the wire (ISO 8601 in UTC). PostgreSQL does so in a third of a microsecond; converting
 * all times of a payment to `Date` and back took 9 of the 130 µs of reading the payment.
 */
const isoTime = (time: string) =>
  `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

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
    ${isoTime(`${payment}.created_at`)} AS "createdAt",
    ${state}.${status} AS status,
    ${state}.provider_name AS "providerName",
    ${state}.provider_transaction_id AS "providerTransactionId",
    ${state}.last_webhook_id AS "lastWebhookId",
    ${isoTime(`${state}.last_webhook_at`)} AS "lastWebhookAt",
    ${isoTime(`${state}.${updatedAt}`)} AS "updatedAt",
    ${state}.version`
}

import { createHmac, hash } from 'node:crypto'
import type { StandardAccount } from '../accounts.js'
import type { Charge } from '../book/records.js'
import type { Callback } from '../charges/callbacks.js'
import { transactionNumber } from '../charges/transaction-number.js'
import type { DeclineReason, Outcome } from '../timeline/timeline.js'

const CODES: Readonly<Record<DeclineReason, string>> = {
  rejected: 'payer_rejected',
  expired: 'payer_timeout',
  insufficient_funds: 'insufficient_funds',
}

const STATUSES = { pending: 'PENDING', paid: 'SUCCESS', declined: 'FAILED' } as const

/** The body of the responses with a charge. */
export function chargeOf(charge: Charge, outcome: Outcome) {
  const { reference, currency, phone, details, callbackUrl } = charge
  return {
    reference,
    amount: amountOf(charge, outcome),
    currency,
    phone: `+${phone}`,
    description: details.description,
    callbackUrl,
    status: STATUSES[outcome.status],
    ...(outcome.status === 'paid' && { providerTransactionId: transactionIdOf(charge) }),
    ...(outcome.status === 'declined' && { failure: failureOf(outcome) }),
  }
}

const amountOf = ({ amount }: Charge, outcome: Outcome) =>
  outcome.status === 'paid' ? outcome.amount : amount
const transactionIdOf = ({ reference }: Charge) => `ST${transactionNumber(reference)}`

function failureOf({ reason, code = CODES[reason] }: Outcome & { status: 'declined' }) {
  return { code, message: code.replaceAll('_', ' ') }
}

/** A webhook reports a final status only. */
export function webhookOf(
  charge: Charge,
  outcome: Outcome,
  { webhookSecret }: StandardAccount,
  now: Date,
): Callback | undefined {
  if (charge.callbackUrl === undefined || !webhookSecret) return undefined
  if (outcome.status === 'pending') return undefined
  const body = JSON.stringify({
    reference: charge.reference,
    status: STATUSES[outcome.status],
    providerTransactionId: transactionIdOf(charge),
    timestamp: now.toISOString(),
    amount: amountOf(charge, outcome),
    currency: charge.currency,
    ...(outcome.status === 'declined' && { failure: failureOf(outcome) }),
  })
  return {
    method: 'POST',
    url: charge.callbackUrl,
    headers: {
      'content-type': 'application/json',
      ...sign(webhookSecret, idOf(charge, outcome), body, now),
    },
    body,
  }
}

/** A repeated webhook has the same id. */
function idOf({ reference }: Charge, { status }: Outcome): string {
  return `msg_${hash('sha256', `${reference} ${status}`, 'hex').slice(0, 32)}`
}

/** The headers of Standard Webhooks 1.0, symmetric. @param secret `whsec_` and base64 */
function sign(secret: string, id: string, body: string, now: Date) {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${mac}`,
  }
}

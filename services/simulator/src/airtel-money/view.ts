import { createHmac } from 'node:crypto'
import type { AirtelAccount } from '../accounts.js'
import type { Charge } from '../book/records.js'
import type { Callback } from '../charges/callbacks.js'
import { transactionNumber } from '../charges/transaction-number.js'
import { draw } from '../timeline/draw.js'
import type { DeclineReason, Outcome } from '../timeline/timeline.js'
import { type AirtelResponse, succeeded } from './responses.js'

const CODES: Readonly<Record<DeclineReason, string>> = {
  rejected: 'DP00800001008',
  expired: 'DP00800001029',
  insufficient_funds: 'DP00800001007',
}

const MESSAGES: Readonly<Record<DeclineReason, string>> = {
  rejected: 'The transaction was refused',
  expired: 'Transaction has been expired',
  insufficient_funds: 'Not enough balance',
}

/** The response to a request for a payment: sent, not paid. */
export function sentOf({ reference }: Charge): AirtelResponse {
  return succeeded('DP00800001006', { transaction: { id: reference, status: 'SUCCESS' } })
}

/** The response to a status query. */
export function statusOf(charge: Charge, outcome: Outcome): AirtelResponse {
  const transaction = {
    ...(outcome.status === 'paid' && { airtel_money_id: moneyIdOf(charge) }),
    id: charge.reference,
    message: messageOf(charge, outcome),
    status: wordOf(charge, outcome),
  }
  // The query succeeds, also when it reports a failed payment.
  return succeeded(codeOf(outcome), { transaction })
}

/** While a payment is open, Airtel answers one of three words; most clients know one of them. */
function wordOf({ reference, timeline }: Charge, outcome: Outcome): string {
  if (outcome.status === 'paid') return 'TS'
  if (outcome.status === 'declined') return outcome.reason === 'expired' ? 'TE' : 'TF'
  if (timeline.answer.kind !== 'accepted') return 'TA'
  return draw('airtel-money', reference, 'word') < 0.5 ? 'TIP' : 'TI'
}

function codeOf(outcome: Outcome): string {
  if (outcome.status === 'paid') return 'DP00800001001'
  return outcome.status === 'pending' ? 'DP00800001006' : (outcome.code ?? CODES[outcome.reason])
}

function messageOf(charge: Charge, outcome: Outcome): string {
  if (outcome.status === 'declined') return MESSAGES[outcome.reason]
  if (outcome.status === 'pending') return 'Transaction is in progress'
  const amount = Number(outcome.amount).toLocaleString('en')
  return `Paid ${charge.currency} ${amount} to ${charge.details.reference}, Trans ID ${moneyIdOf(charge)}.`
}

function moneyIdOf({ reference, acceptedAt }: Charge): string {
  const day = new Date(acceptedAt).toISOString().slice(2, 10).replaceAll('-', '')
  const digits = transactionNumber(reference)
  return `MP${day}.${digits.slice(0, 4)}.L${digits.slice(4)}`
}

/**
 * A callback reports TS or TF only. Its hash covers the bytes of the transaction as they are sent, and is present only
 * if the account has a key.
 */
export function callbackOf(
  charge: Charge,
  outcome: Outcome,
  { callbackKey }: AirtelAccount,
): Callback | undefined {
  if (charge.callbackUrl === undefined || outcome.status === 'pending') return undefined
  const transaction = JSON.stringify({
    id: charge.reference,
    message: messageOf(charge, outcome),
    status_code: outcome.status === 'paid' ? 'TS' : 'TF',
    airtel_money_id: moneyIdOf(charge),
  })
  const hash = callbackKey && createHmac('sha256', callbackKey).update(transaction).digest('base64')
  return {
    method: 'POST',
    url: charge.callbackUrl,
    headers: { 'content-type': 'application/json' },
    body: `{"transaction":${transaction}${hash ? `,"hash":"${hash}"` : ''}}`,
  }
}

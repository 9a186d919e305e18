import { isErasedPhone } from '@malipo/kit/http/pseudonym'
import type { Adapter, AccountFacts, Charge } from './adapter.js'
import { wireAmount } from './amounts.js'

/** What an adapter renders requests from, made from a payment and its attempt. */

export interface PaymentFacts {
  /** `PAY-` and a UUIDv7. */
  readonly reference: string
  readonly amountMinor: bigint
  readonly currency: string
  /** E.164. */
  readonly phone: string
}

export interface AttemptFacts {
  readonly reference: string
  readonly providerReference?: string
  readonly callbackUrl?: string
}

export type Unchargeable = 'currency' | 'amount' | 'phone'

/**
 * The charge of a payment; or what the account can't carry. Judge it at creation: later, the same payment and
 * account give the same result.
 */
export function chargeOf(
  adapter: Pick<Adapter, 'payerOf' | 'capabilities'>,
  account: AccountFacts,
  payment: PaymentFacts,
  attempt: AttemptFacts,
): Charge | Unchargeable {
  if (payment.currency !== account.currency) return 'currency'
  const amount = wireAmount(payment.amountMinor, account.currency, account.digits)
  if (amount === undefined) return 'amount'
  // An erased payment is closed. It may still be queried, by its reference.
  const isErased = isErasedPhone(payment.phone)
  const payer = isErased ? payment.phone.slice(1) : adapter.payerOf(payment.phone, account)
  if (payer === undefined) return 'phone'
  return {
    reference: attempt.reference,
    providerReference: attempt.providerReference,
    paymentReference: payment.reference,
    amount,
    currency: payment.currency,
    payer,
    text: payerText(payment.reference, adapter.capabilities.textLength),
    callbackUrl: attempt.callbackUrl,
  }
}

/**
 * The text that a payer sees. It is made from the reference alone, because providers reject other characters than
 * `[A-Za-z0-9 .-]`, or lose the charge: `&` and `'` at MTN, a longer text at M-Pesa. A short text has the end of the
 * reference, which is random; its beginning is a time.
 */
export function payerText(paymentReference: string, maxLength: number): string {
  const texts = [`Payment ${paymentReference}`, paymentReference]
  const fitting = texts.find((text) => text.length <= maxLength)
  return fitting ?? paymentReference.slice(-maxLength).replace(/^-+/, '')
}

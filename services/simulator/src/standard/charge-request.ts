import type { StandardAccount } from '../accounts.js'
import type { ChargeRequest } from '../charges/charges.js'
import { isAmount, digitsOf } from '../http/money.js'

const REFERENCE = /^[\w-]{1,64}$/
const PHONE = /^\+[1-9]\d{7,14}$/
const DESCRIPTION = /^[A-Za-z\d .-]{1,100}$/

/** A rejected request: docs/providers.md lists the codes. */
export interface StandardError {
  readonly status: number
  readonly code: string
}

/** Judges the body of `POST /charges`. */
export function readChargeRequest(
  account: StandardAccount,
  body: Readonly<Record<string, unknown>> | undefined,
): ChargeRequest | StandardError {
  const { reference, amount, currency, phone, description, callbackUrl } = body ?? {}
  if (typeof reference !== 'string' || !REFERENCE.test(reference)) return invalid('invalid_request')
  if (typeof description !== 'string' || !DESCRIPTION.test(description)) {
    return invalid('invalid_request')
  }
  if (currency !== account.currency) return invalid('invalid_currency', 422)
  if (typeof amount !== 'string' || !hasAllDigits(amount, account.currency)) {
    return invalid('invalid_amount', 422)
  }
  if (typeof phone !== 'string' || !PHONE.test(phone)) return invalid('invalid_phone', 422)
  if (callbackUrl !== undefined && !isAllowed(callbackUrl, account)) {
    return invalid('invalid_request')
  }
  return {
    provider: 'standard',
    account: account.name,
    reference,
    amount,
    currency: account.currency,
    phone: phone.slice(1),
    details: { description },
    callbackUrl: callbackUrl as string | undefined,
  }
}

const invalid = (code: string, status = 400): StandardError => ({ status, code })

/** Exactly the decimal places of the currency. */
function hasAllDigits(amount: string, currency: string): boolean {
  const fraction = amount.split('.')[1] ?? ''
  return isAmount(amount, currency) && fraction.length === digitsOf(currency)
}

function isAllowed(url: unknown, { callbackHost }: StandardAccount): boolean {
  const target = typeof url === 'string' ? URL.parse(url) : null
  if (!target || !callbackHost || !/^https?:$/.test(target.protocol)) return false
  return [target.host, target.hostname].includes(callbackHost)
}

import { getCountryCallingCode, isSupportedCountry } from 'libphonenumber-js/min'
import type { AirtelAccount } from '../accounts.js'
import type { ChargeRequest } from '../charges/charges.js'
import { asObject } from '../http/json.js'
import { isAmount } from '../http/money.js'
import { type AirtelResponse, RESPONSES } from './responses.js'

/** Accepted with hyphens, although a later query of such an id fails. */
const ID = /^[A-Za-z\d-]{1,64}$/
/** A national number: Airtel rejects one with a country code or a leading zero. */
const MSISDN = /^[1-9]\d{6,9}$/
const MAX_REFERENCE = 64

/** Judges a request for a payment as Airtel does. */
export function readPayment(
  account: AirtelAccount,
  body: Readonly<Record<string, unknown>> | undefined,
): ChargeRequest | AirtelResponse {
  const { reference } = body ?? {}
  const subscriber = asObject(body?.subscriber)
  const transaction = asObject(body?.transaction)
  if (typeof reference !== 'string' || reference === '' || reference.length > MAX_REFERENCE) {
    return RESPONSES.invalid
  }
  if (!subscriber || !transaction) return RESPONSES.invalid
  const { id, amount } = transaction
  if (typeof id !== 'string' || !ID.test(id)) return RESPONSES.invalid
  const countries = [subscriber.country ?? account.country, transaction.country ?? account.country]
  if (countries.some((country) => country !== account.country)) return RESPONSES.countryInvalid
  const currencies = [subscriber.currency, transaction.currency]
  if (currencies.some((currency) => (currency ?? account.currency) !== account.currency)) {
    return RESPONSES.currencyInvalid
  }
  const { msisdn } = subscriber
  if (typeof msisdn !== 'string' || !MSISDN.test(msisdn)) return RESPONSES.msisdnInvalid
  // 5000.0 is a whole number in JSON too.
  if (typeof amount !== 'number') return RESPONSES.invalid
  if (!isAmount(String(amount), account.currency)) return RESPONSES.amountInvalid
  return {
    provider: 'airtel-money',
    account: account.clientId,
    reference: id,
    amount: String(amount),
    currency: account.currency,
    phone: `${callingCodeOf(account.country)}${msisdn}`,
    details: { reference },
    callbackUrl: account.callbackUrl,
  }
}

function callingCodeOf(country: string): string {
  return isSupportedCountry(country) ? getCountryCallingCode(country) : ''
}

import { formatAmount } from '../money/money.js'
import type { PaymentMethod } from '../money/payment-methods.js'
import { ANY_MERCHANT, type ProviderAccount, type ProvidersFile } from './accounts.js'
import { type Adapter } from './adapter.js'
import { chargeOf, type PaymentFacts } from './charge.js'
import { isPhoneOf } from './phone-forms.js'

/** Which account takes a new payment. It is chosen once: a failure never leads to another account. */

export interface NewPayment extends PaymentFacts {
  /** The `sub` of the caller. */
  readonly merchant: string
  readonly method: PaymentMethod
  /** The `provider` of the body. */
  readonly provider?: string
}

/** Why no account takes a payment. `field` is the one of the body to correct. */
export interface Refusal {
  readonly reason: 'provider-unavailable' | 'amount-not-supported'
  readonly field: 'provider' | 'paymentMethod' | 'currency' | 'customerPhone' | 'amount'
  readonly message: string
}

export type Choice =
  | { readonly kind: 'account'; readonly account: ProviderAccount }
  /** Nothing is sent: a person, or a signed webhook, moves the payment. */
  | { readonly kind: 'manual' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

type AdapterByName = (name: string) => Adapter | undefined

/**
 * Chooses the account that the body names, or that `defaultProvider` names, or, with `route`, one by method,
 * currency, country of the phone number and amount.
 */
export function chooseAccount(
  file: ProvidersFile,
  payment: NewPayment,
  mode: 'sandbox' | 'live',
  adapterNamed: AdapterByName,
): Choice {
  const provider = payment.provider ?? file.defaultProvider
  if (provider === 'manual') return { kind: 'manual' }
  const accounts = accountsOf(file, payment.merchant)
  if (provider === 'route') return route(accounts, payment, mode, adapterNamed)
  const account = accounts.find(({ name }) => name === provider)
  // The same answer whether an account does not exist, is another merchant's, or takes no new payments.
  if (!account) return unavailable('provider', UNKNOWN_PROVIDER)
  const refusal = refusalOf(account, payment, adapterNamed)
  return refusal ? { kind: 'refused', refusal } : { kind: 'account', account }
}

const UNKNOWN_PROVIDER = 'must be manual, route, or one of your active accounts'

/** The accounts that can take new payments of a merchant, in the order of the file. */
export function accountsOf({ accounts }: ProvidersFile, merchant: string): ProviderAccount[] {
  return accounts.filter(
    ({ state, merchants }) =>
      state === 'active' && (merchants.includes(ANY_MERCHANT) || merchants.includes(merchant)),
  )
}

/** The accounts that can charge a phone number, best first. */
export function accountsForPhone(
  accounts: readonly ProviderAccount[],
  phone: string,
): ProviderAccount[] {
  return accounts
    .filter(({ phoneCountries }) => isPhoneOf(phone, phoneCountries))
    .toSorted((one, other) => prefixLength(other, phone) - prefixLength(one, phone))
}

/** The length of the longest prefix that a phone number has. A sort by it is stable: the file's order remains. */
function prefixLength({ phonePrefixes }: ProviderAccount, phone: string): number {
  const lengths = phonePrefixes.filter((each) => phone.startsWith(each)).map(({ length }) => length)
  return Math.max(0, ...lengths)
}

function route(
  accounts: readonly ProviderAccount[],
  payment: NewPayment,
  mode: 'sandbox' | 'live',
  adapterNamed: AdapterByName,
): Choice {
  const offering = accounts.filter(({ methods }) => methods.includes(payment.method))
  if (offering.length === 0) {
    if (mode === 'sandbox') return { kind: 'manual' }
    const offered = [...new Set(accounts.flatMap(({ methods }) => methods))].join(', ')
    return unavailable('paymentMethod', `is not offered; offered are: ${offered || 'none'}`)
  }
  const inCurrency = offering.filter(({ currency }) => currency === payment.currency)
  if (inCurrency.length === 0) {
    const currencies = [...new Set(offering.map(({ currency }) => currency))].join(', ')
    return unavailable('currency', `is not offered with this method; offered are: ${currencies}`)
  }
  const candidates = accountsForPhone(inCurrency, payment.phone)
  const refusals = candidates.map((account) => refusalOf(account, payment, adapterNamed))
  const account = candidates.find((_, index) => refusals[index] === undefined)
  if (account) return { kind: 'account', account }
  // The best account states why: its limits are those that the merchant can act on.
  const [refusal] = refusals
  if (refusal) return { kind: 'refused', refusal }
  return unavailable('customerPhone', phoneMessage(inCurrency))
}

/** Why an account can't take a payment; undefined if it can. */
function refusalOf(
  account: ProviderAccount,
  payment: NewPayment,
  adapterNamed: AdapterByName,
): Refusal | undefined {
  const reason = 'provider-unavailable'
  const adapter = adapterNamed(account.adapter)
  if (!adapter) return { reason, field: 'provider', message: UNKNOWN_PROVIDER }
  if (!account.methods.includes(payment.method)) {
    const message = `must be ${account.methods.join(' or ')} with ${account.name}`
    return { reason, field: 'paymentMethod', message }
  }
  const charge = chargeOf(adapter, account, payment, { reference: '' })
  if (charge === 'currency') {
    const message = `must be ${account.currency} with ${account.name}`
    return { reason, field: 'currency', message }
  }
  if (charge === 'phone' || !isPhoneOf(payment.phone, account.phoneCountries)) {
    return { reason, field: 'customerPhone', message: phoneMessage([account]) }
  }
  const { minMinor, maxMinor } = account.limits
  const isWithin = payment.amountMinor >= minMinor && payment.amountMinor <= maxMinor
  if (charge !== 'amount' && isWithin) return undefined
  return { reason: 'amount-not-supported', field: 'amount', message: amountMessage(account) }
}

function amountMessage({ name, currency, digits, limits }: ProviderAccount): string {
  const range = [limits.minMinor, limits.maxMinor].map((minor) => formatAmount(minor, currency))
  const places = digits === 0 ? 'without decimal places' : `with at most ${digits} decimal places`
  return `must be from ${range.join(' to ')} ${currency}, ${places}, with ${name}`
}

function phoneMessage(accounts: readonly ProviderAccount[]): string {
  const countries = new Set(accounts.flatMap(({ phoneCountries }) => phoneCountries))
  return `must be a phone number of ${[...countries].join(', ')}`
}

function unavailable(field: Refusal['field'], message: string): Choice {
  return { kind: 'refused', refusal: { reason: 'provider-unavailable', field, message } }
}

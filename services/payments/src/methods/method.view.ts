import { formatAmount } from '../money/money.js'
import type { ProviderAccount } from '../providers/accounts.js'

/** What a merchant must know of a provider account. */
export function methodView(account: ProviderAccount) {
  const { name, adapter, methods, country, phoneCountries, currency, digits, limits } = account
  return {
    provider: name,
    providerName: adapter,
    paymentMethods: methods,
    country,
    phoneCountries,
    currency,
    digits,
    minAmount: formatAmount(limits.minMinor, currency),
    maxAmount: formatAmount(limits.maxMinor, currency),
  }
}

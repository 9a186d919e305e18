import { type Book, stateOf } from '../book/book.js'
import type { Provider } from '../book/records.js'
import { digitsOf } from '../http/money.js'

/** The sum of what payers paid to an account, of the charges that the book has, in major units. */
export function balanceOf(
  book: Book,
  provider: Provider,
  account: string,
  currency: string,
): string {
  const digits = digitsOf(currency)
  let minor = 0n
  for (const entry of book.all()) {
    const { outcome } = stateOf(entry)
    const { charge } = entry
    const isOwn = charge.provider === provider && charge.account === account
    if (isOwn && charge.currency === currency && outcome.status === 'paid') {
      const [units = '0', fraction = ''] = outcome.amount.split('.')
      minor += BigInt(units + fraction.padEnd(digits, '0'))
    }
  }
  const text = minor.toString().padStart(digits + 1, '0')
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
}

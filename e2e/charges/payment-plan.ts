import type { Draw } from './draw.ts'

/** The payments that the driver creates, as data that depends on the seed only. */

/** The accounts of a sandbox, and one that speaks `standard`. */
export type AccountName = 'mtn-sandbox' | 'mtn-ug-sim' | 'airtel-ug-sim' | 'standard-sim'

export interface PlannedPayment {
  readonly key: string
  readonly account: AccountName
  readonly body: object
  /** The first request is abandoned after this time, as if its answer was lost. */
  readonly abandonedAfterMs?: number
  /** The owner asks for the payment this long after its creation. */
  readonly readAfterMs?: number
}

/** How many payments of the whole each account has. */
export type Shares = Partial<Readonly<Record<AccountName, number>>>

/** MTN's own test numbers, from +46733123450 on: docs/simulator.md. */
const FIRST_TEST_NUMBER = 46_733_123_450
const TEST_NUMBERS = 15
/** Each payment has another payer; none has a number whose personality is fixed. */
const FIRST_SUBSCRIBER = 3_000_000
const SUBSCRIBERS = 6_000_000

const PREFIXES: Readonly<Record<AccountName, string>> = {
  'mtn-sandbox': '+4670',
  'mtn-ug-sim': '+25677',
  'airtel-ug-sim': '+25675',
  'standard-sim': '+25678',
}

export function plannedPayment(draw: Draw, shares: Shares, n: number): PlannedPayment {
  const names = (Object.entries(shares) as [AccountName, number][]).flatMap(([name, share]) =>
    Array<AccountName>(share).fill(name),
  )
  const account = draw.pick(names, n, 'account')
  const isEuro = account === 'mtn-sandbox'
  const key = `charge-${draw.seed}-${n}`
  return {
    key,
    account,
    body: {
      provider: account,
      amount: isEuro ? euros(draw, n) : draw.whole(500, 1_000_000, n, 'amount'),
      currency: isEuro ? 'EUR' : 'UGX',
      paymentMethod: 'MOBILE_MONEY',
      customerPhone: phoneOf(draw, n, account),
      customerEmail: 'customer@example.com',
      metadata: { key },
    },
    ...(draw.fraction(n, 'abandoned?') < 0.03 && {
      abandonedAfterMs: draw.whole(1, 40, n, 'abandoned'),
    }),
    ...(draw.fraction(n, 'read?') < 0.2 && { readAfterMs: draw.whole(0, 4_000, n, 'read') }),
  }
}

function phoneOf(draw: Draw, n: number, account: AccountName): string {
  if (account === 'mtn-sandbox' && draw.fraction(n, 'test number?') < 0.6) {
    return `+${FIRST_TEST_NUMBER + draw.whole(0, TEST_NUMBERS - 1, n, 'test number')}`
  }
  const offset = draw.whole(0, SUBSCRIBERS - 1, 'first subscriber')
  return `${PREFIXES[account]}${FIRST_SUBSCRIBER + ((offset + n) % SUBSCRIBERS)}`
}

function euros(draw: Draw, n: number): string {
  return (draw.whole(100, 90_000, n, 'amount') / 100).toFixed(2)
}

import type {
  AccountFacts,
  Adapter,
  CallContext,
  Charge,
  Credentials,
  HttpRequest,
  Initiation,
  Query,
} from '../../src/providers/adapter.js'
import { chargeOf, type PaymentFacts, type Unchargeable } from '../../src/providers/charge.js'
import type { CallResult, QueryReading, SendReading } from '../../src/providers/reading.js'
import { digitsOf } from '../../src/money/currencies.js'
import type { Bytes } from './provider-answers.js'

/** What the conformance tests need of an adapter: an account, its tables, and functions that know its wire. */
export interface AdapterCase<Settings> {
  readonly adapter: Adapter<Settings>
  readonly account: AccountFacts
  /** As in PROVIDERS_FILE. */
  readonly settings: unknown
  readonly credentials: Credentials
  /** A value of each grant. */
  readonly grants: Readonly<Record<string, string>>

  /** Phone numbers in E.164, and the provider's form; undefined for one that the account can't charge. */
  readonly phones: readonly (readonly [phone: string, payer: string | undefined])[]
  /** The form of the references that `newReference` makes. */
  readonly referenceForm: RegExp
  /** What a request to initiate states on the wire. */
  stated(request: HttpRequest): {
    /** Not compared if the provider makes the references. */
    readonly reference?: unknown
    /** As on the wire: a string or a number. */
    readonly amount: unknown
    /** Absent if the wire has none. */
    readonly currency?: unknown
    readonly payer: unknown
    readonly texts: readonly unknown[]
  }

  /** Every row of the provider's tables. */
  readonly sends: readonly Row<SendReading>[]
  readonly queries: readonly Row<QueryReading>[]

  /** An error with a code. */
  errorBody(code: string): Bytes
  /** The statuses at which the code of an error decides whether a charge exists. */
  readonly codeStatuses: readonly number[]
  /** The answer to a query with a word for a status. Absent if the provider states final results only. */
  readonly statusBody?: (word: string, charge: Charge) => Bytes
  /**
   * The answer to a query of a charge that has failed for a reason. Absent if one code is both status and reason:
   * then `statusBody` writes it, and an unknown one is pending.
   */
  readonly failedBody?: (reason: string, charge: Charge) => Bytes
  /** The answer to a query of a charge that is paid, with all that the provider states. */
  paidBody(charge: Charge): Record<string, unknown>
  /** The names in `paidBody` of what a success must state. */
  readonly requiredOfPaid: readonly string[]
}

/** An answer and the reading that it must have, at least. */
export type Row<Reading> = readonly [
  title: string,
  result: CallResult,
  reading: Partial<Reading> & Pick<SendReading | QueryReading, 'kind'>,
]

/** A case with what the tests derive from it. */
export interface Prepared<Settings> extends AdapterCase<Settings> {
  readonly initiate: Initiation<Settings>
  readonly query: Query<Settings>
  readonly context: CallContext<Settings>
  readonly attempt: { readonly reference: string; readonly providerReference: string }
  /** A charge that the account can carry. */
  readonly charge: Charge
  /** The charge of the same payment with other facts, or why there is none. */
  readonly chargeWith: (facts: Partial<PaymentFacts>) => Charge | Unchargeable
}

const PAYMENT_REFERENCE = 'PAY-019aa0a0-0000-7000-8000-000000000000'

export function prepare<Settings>(given: AdapterCase<Settings>): Prepared<Settings> {
  const { adapter, account, credentials, grants } = given
  const { initiate, query } = adapter
  if (!initiate || !query) throw new Error('the conformance tests need an adapter that sends')
  const parsed = adapter.parseSettings(given.settings, account)
  if (!('value' in parsed)) throw new Error(`invalid settings: ${JSON.stringify(parsed.faults)}`)
  const random = new Uint8Array(64).fill(7)
  const now = new Date('2026-01-31T12:00:00Z')
  const context = {
    account: { ...account, settings: parsed.value },
    credentials,
    grants,
    now,
    random,
  }
  const attempt = {
    reference: adapter.newReference(random.subarray(0, 16), PAYMENT_REFERENCE),
    providerReference: 'theirs-1',
    callbackUrl: 'https://pay.example/api/payments/webhook/account/attempt/nonce',
  }
  const [phone] = given.phones.find(([, payer]) => payer !== undefined) ?? ['']
  const payment = {
    reference: PAYMENT_REFERENCE,
    amountMinor: 5000n * 10n ** BigInt(digitsOf(account.currency) ?? 0),
    currency: account.currency,
    phone,
  }
  const chargeWith = (facts: Partial<PaymentFacts>) =>
    chargeOf(adapter, account, { ...payment, ...facts }, attempt)
  const charge = chargeWith({})
  if (typeof charge === 'string') throw new Error(`the account can't carry the ${charge}`)
  return { ...given, initiate, query, context, attempt, charge, chargeWith }
}

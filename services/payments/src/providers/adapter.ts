import type { PaymentMethod } from '../money/payment-methods.js'
import type { Parsed } from './fields.js'
import type {
  CallbackReading,
  CallResult,
  GrantReading,
  QueryReading,
  SendReading,
} from './reading.js'

/**
 * What the author of an adapter writes: data and pure functions for one provider's API. No function does I/O, reads
 * a clock or throws; whatever an answer contains, its reading is one of the words of reading.ts. Attempts, retries,
 * rate limits, timeouts, tokens and storage are the same for all adapters and are not the adapter's concern.
 */
export interface Adapter<Settings = unknown> {
  /** The name in PROVIDERS_FILE, in kebab-case: `mtn-momo`. */
  readonly name: string

  readonly capabilities: Capabilities

  /**
   * The secrets of an account, by name. An account names a file for each: `apiKey` is the content of its
   * `apiKeyFile`, without white space around it.
   */
  readonly credentials: Readonly<Record<string, { readonly required: boolean }>>

  /** Reads the `settings` of an account, with `readFields` of fields.ts. Each fault says what would be right. */
  parseSettings(given: unknown, account: AccountFacts): Parsed<Settings>

  /**
   * What the provider issues for a limited time and requests need, by name: an access token, an encryption key.
   * Each is requested once for all requests of a replica, renewed at 80 % of its lifetime, and renewed when a
   * reading names it in `renew`.
   */
  readonly grants?: Readonly<Record<string, Grant<Settings>>>

  /**
   * Makes the reference of a new charge. It is stored before the first request, and used for one charge only.
   *
   * @param random 16 random bytes
   * @param paymentReference `PAY-` and a UUIDv7
   */
  newReference(random: Uint8Array, paymentReference: string): string

  /**
   * The form in which the provider expects the phone number of a payer.
   *
   * @param phone E.164, such as `+256772123456`
   * @returns undefined if the account can't charge the number. New prefixes appear before any list has them, so a
   *   prefix of an operator is never a reason.
   */
  payerOf(phone: string, account: AccountFacts): string | undefined

  /** Asks the payer for money. Absent if nothing is sent, as with `manual`. */
  readonly initiate?: Initiation<Settings>

  /** Asks for the status of a charge. Absent if the provider has no such call. */
  readonly query?: Query<Settings>

  /**
   * Reads a callback. It is stored before, so that an unknown shape is no error: it is an unsigned `no_news`.
   *
   * Only a signature over exactly the bytes that are read makes it `signed`. Compare signatures in constant time,
   * and try each set of credentials: during a rotation there are two.
   */
  readCallback?(message: CallbackMessage, account: AdapterAccount<Settings>): CallbackReading
}

/** What differs between providers and is not an API call. */
export interface Capabilities {
  readonly methods: readonly PaymentMethod[]
  /**
   * Who makes the reference by which a charge is queried. With `theirs`, it is the `providerReference` of the reading
   * of the first answer; if that answer is lost, only a callback or a person can end the attempt.
   */
  readonly reference: 'ours' | 'theirs'
  /**
   * Whether answers state amount and currency of a success. If they do, both are compared, and a success without
   * them is not a success. If `absent`, the payment is shown as `amountUnverified`.
   */
  readonly amount: 'stated' | 'absent'
  readonly callback: CallbackRule
  /** The longest text that the provider shows to a payer, in characters. */
  readonly textLength: number
  /**
   * How long after a send the provider may answer "unknown" although it has the charge, in seconds. Earlier
   * answers of this kind prove nothing.
   */
  readonly visibilitySeconds: number
}

export interface CallbackRule {
  /**
   * `attempt`: a URL for each attempt, with a secret part, which the request to initiate names in full. `account`:
   * one URL for the account, which is set at the provider; the callback names the charge. `webhook`: the signed
   * webhook of Malipo. `none`: the provider sends none.
   */
  readonly url: 'attempt' | 'account' | 'webhook' | 'none'
  /** Whether callbacks can be signed. An unsigned callback triggers a query and changes nothing. */
  readonly signed: boolean
  /** The JSON body of our answer, if the provider expects one. Otherwise the answer is empty. */
  readonly answer?: string
}

/** An account, as it is checked before its secrets are read. */
export interface AccountFacts {
  readonly name: string
  readonly mode: 'sandbox' | 'live'
  /** ISO 3166-1 alpha-2: the provider's market. */
  readonly country: string
  /** ISO 4217. */
  readonly currency: string
  /** Decimal places that the provider accepts in this currency, which may be fewer than those of ISO 4217. */
  readonly digits: number
}

/** A set of secrets, by the names of `Adapter.credentials`. */
export type Credentials = Readonly<Record<string, string>>

export interface AdapterAccount<Settings> extends AccountFacts {
  readonly settings: Settings
  /** One set; two during a rotation, the newest first. */
  readonly credentials: readonly Credentials[]
}

/** What a request is rendered from, apart from the charge. */
export interface CallContext<Settings> {
  readonly account: AccountFacts & { readonly settings: Settings }
  /** The set that is in use. */
  readonly credentials: Credentials
  /** The current value of each grant that the call needs. */
  readonly grants: Readonly<Record<string, string>>
  readonly now: Date
  /** 64 random bytes, new for each request. */
  readonly random: Uint8Array
}

/** One request for money. */
export interface Charge {
  /** Of `newReference`. */
  readonly reference: string
  /** Set once the provider has stated it. */
  readonly providerReference?: string
  /** `PAY-` and a UUIDv7. */
  readonly paymentReference: string
  /** A decimal with exactly the `digits` of the account: `5000`, or `50.00`. */
  readonly amount: string
  readonly currency: string
  /** Of `payerOf`. */
  readonly payer: string
  /** For the payer: at least one and at most `textLength` characters of `[A-Za-z0-9 .-]`. */
  readonly text: string
  /** Absent if the account has no `callbackOrigin`, or the provider no callbacks. */
  readonly callbackUrl?: string
}

/** A request. Its path begins with `/` and follows the base URL. The client adds `host` and `user-agent`. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

export interface CallbackMessage {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** The bytes as received, at most 64 kB. */
  readonly body: Uint8Array
}

interface Call<Settings> {
  /** The names of the grants that the request needs. */
  needs(settings: Settings): readonly string[]
  /** After this time without a complete answer, the result of the call is `sent`, or `connecting`. */
  readonly timeoutSeconds: number
}

export interface Initiation<Settings> extends Call<Settings> {
  request(charge: Charge, context: CallContext<Settings>): HttpRequest
  /**
   * What the answer means. Every result has a meaning: an answer with a code that the adapter does not know is
   * `may_have_happened`. `not_sent` needs proof, such as a refused connection or a code that the provider documents
   * so.
   */
  read(result: CallResult, charge: Charge): SendReading
  /** The delays before the request is repeated while it is `not_sent` with `retry`, in seconds. */
  readonly retrySeconds: readonly number[]
}

export interface Query<Settings> extends Call<Settings> {
  request(charge: Charge, context: CallContext<Settings>): HttpRequest
  /**
   * What the answer means. Only a final status of the provider is `succeeded` or `declined`; an unknown status is
   * `pending`. An unknown reason beside a final failure is `declined` with `provider_error`.
   */
  read(result: CallResult, charge: Charge): QueryReading
  /** The delay before each query, in seconds, from the send on; see `querySchedule` of schedule.ts. */
  readonly scheduleSeconds: readonly number[]
}

export interface Grant<Settings> {
  /** The names of the grants that this request needs itself. */
  readonly needs: readonly string[]
  readonly timeoutSeconds: number
  request(context: CallContext<Settings>): HttpRequest
  /** Granted only with a usable value: a token that fits into a header, a key that can be parsed. */
  read(result: CallResult): GrantReading
}

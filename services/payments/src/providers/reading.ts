import type { FailureCode } from './failures.js'

/** How far one HTTP request to a provider came. */
export type CallResult =
  /** The provider received no byte of it: DNS, TCP or TLS failed, or the time expired before a connection. */
  | { readonly phase: 'connecting' }
  /** The provider may have received it, but no complete answer came: a reset, a timeout, a truncated body. */
  | { readonly phase: 'sent' }
  | Answer

/** A complete answer. Names of headers are in lower case. `body` has the bytes as received, without a coding. */
export interface Answer {
  readonly phase: 'answered'
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
}

/**
 * Observations for metrics and alerts. None of them changes what a reading means. During a rotation, `configuration`
 * beside `not_sent` or `no_news` leads to a repetition with the other set of credentials.
 */
export const FLAGS = {
  unknown_status: 'the status is a word that the adapter does not know',
  unknown_code: 'the code of the error is one that the adapter does not know',
  unknown_shape: 'the body is not what the provider documents',
  other_reference: 'the answer is about another charge than the one that was asked for',
  amount_missing:
    'the provider reports a success without the amount or currency that it should state',
  reference_exists: 'the provider has a charge with this reference already',
  rate_limited: 'the provider received too many requests',
  configuration: 'the credentials, the settings or the rights of the account are wrong',
} as const

export type Flag = keyof typeof FLAGS

/** What a provider states, as it states it. Strings can be stored in PostgreSQL. */
interface Statement {
  /** The provider's code or status word, at most 128 characters. */
  readonly providerCode?: string
  /** The provider's id of the movement of money, at most 128 characters. */
  readonly transactionId?: string
  /** The provider's reference of the charge. Required if the provider makes the references. */
  readonly providerReference?: string
  /** A decimal, as stated: `5000.0` and `5e3` are possible. */
  readonly amount?: string
  readonly currency?: string
  readonly flags?: readonly Flag[]
  /**
   * The grant that the provider rejected. It is renewed once, and the request repeated once; the reading of the
   * repetition counts. A reading that leaves open whether there is a charge is never repeated.
   */
  readonly renew?: string
  /** From `Retry-After`: the next request must not leave earlier. */
  readonly retryAfterSeconds?: number
}

/** The charge failed, by the provider's word. */
export interface Declined extends Statement {
  readonly kind: 'declined'
  readonly failure: FailureCode
}
/** The provider has the charge and has not decided. */
export interface Pending extends Statement {
  readonly kind: 'pending'
}
/** The provider has no charge, for certain. `retry`: whether the same request may succeed later. */
export interface NotSent extends Statement {
  readonly kind: 'not_sent'
  readonly failure: FailureCode
  readonly retry: boolean
}
/** The provider may have a charge: it is queried, and never sent again. */
export interface MayHaveHappened extends Statement {
  readonly kind: 'may_have_happened'
}
/** The payer has paid. */
export interface Succeeded extends Statement {
  readonly kind: 'succeeded'
}
/** The provider does not know the reference. Shortly after a send, that proves nothing. */
export interface UnknownThere extends Statement {
  readonly kind: 'unknown_there'
}
/** The answer says nothing about the charge: the next query may. */
export interface NoNews extends Statement {
  readonly kind: 'no_news'
}

/** The answer to a request for money. It can't be a success: a provider that accepts a charge prompts the payer. */
export type SendReading = Declined | Pending | NotSent | MayHaveHappened

/** The answer to a query. */
export type QueryReading = Declined | Pending | Succeeded | UnknownThere | NoNews

/** A callback. */
export interface CallbackReading {
  /**
   * `signed`: only the provider can have written it, and `reading` may change the payment. `unsigned`: it triggers
   * a query, and nothing else. `invalid`: it has a wrong signature.
   */
  readonly verdict: 'signed' | 'unsigned' | 'invalid'
  /** Our reference of the charge, as stated. */
  readonly reference?: string
  /** The provider's reference of the charge, as stated. */
  readonly providerReference?: string
  readonly reading: QueryReading
}

/** The answer to a request for a grant. */
export type GrantReading =
  | { readonly kind: 'granted'; readonly value: string; readonly lifetimeSeconds: number }
  /** The credentials are wrong: repeating the request does not help. */
  | { readonly kind: 'refused'; readonly providerCode?: string }
  | {
      readonly kind: 'unavailable'
      readonly providerCode?: string
      readonly retryAfterSeconds?: number
    }

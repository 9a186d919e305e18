import type { FailureCode } from '../failures.js'

/**
 * The codes of Airtel Money, Collection APIs: https://developers.airtel.africa, "Error codes" of the platform, of the
 * product (`ESB`, `DP008`) and of the gateway (`ROUTER`).
 */

/** What a code means in the answer to a request for money. */
export type CodeMeaning =
  | { readonly kind: 'pending' | 'may_have_happened' }
  | { readonly kind: 'declined'; readonly failure: FailureCode }
  | { readonly kind: 'not_sent'; readonly failure: FailureCode; readonly renew?: string }

const pending = { kind: 'pending' } as const
const doubtful = { kind: 'may_have_happened' } as const
const declined = (failure: FailureCode) => ({ kind: 'declined', failure }) as const
const refused = { kind: 'not_sent', failure: 'provider_configuration' } as const
const invalid = { kind: 'not_sent', failure: 'invalid_request' } as const

const MEANINGS: Readonly<Record<string, CodeMeaning>> = {
  DP00800001000: pending, // ambiguous
  DP00800001001: pending, // a success of the request, not of the payment
  DP00800001002: declined('payer_rejected'), // wrong PIN
  DP00800001003: declined('limit_reached'),
  DP00800001004: declined('limit_reached'), // below the minimum amount
  DP00800001005: doubtful, // several causes, see NO_PIN_OR_UNKNOWN
  DP00800001006: pending,
  DP00800001007: declined('insufficient_funds'),
  DP00800001008: declined('payer_rejected'),
  DP00800001009: declined('provider_error'), // do not honour
  DP00800001010: declined('merchant_account'), // payee barred
  DP00800001024: doubtful, // timed out, and maybe paid
  DP00800001025: doubtful, // not found: no answer to this request
  DP00800001026: { ...refused, renew: 'encryptionKey' }, // signature and body differ
  DP00800001029: declined('payer_timeout'),
  ROUTER001: refused,
  ROUTER003: refused,
  ROUTER005: refused,
  ROUTER006: refused,
  ROUTER007: refused,
  ROUTER112: refused,
  ROUTER114: doubtful, // these three: of payouts
  ROUTER115: doubtful,
  ROUTER116: doubtful,
  ROUTER117: doubtful, // timed out
  ROUTER119: refused,
  ESB000001: doubtful,
  ESB000004: doubtful,
  ESB000008: doubtful, // a field is invalid, "ambiguous state possible"
  ESB000010: pending, // a success of the request
  ESB000011: doubtful,
  ESB000014: doubtful,
  ESB000033: invalid,
  ESB000034: refused,
  ESB000035: refused,
  ESB000036: invalid,
  ESB000039: refused,
  ESB000041: doubtful, // the id exists
  ESB000045: doubtful,
}

export const MEANING_OF_CODE: ReadonlyMap<string, CodeMeaning> = new Map(Object.entries(MEANINGS))

/**
 * No PIN entered, an invalid id, an unknown payer ("Msisdn Not Found", with HTTP 400), or "Something Went Wrong" (with
 * HTTP 500, and maybe charged).
 */
export const NO_PIN_OR_UNKNOWN = 'DP00800001005'

export const ID_EXISTS = 'ESB000041'

/** Codes of a query that the id is unknown. */
export const NOT_FOUND_CODES: ReadonlySet<string> = new Set(['DP00800001025', 'ESB000045'])

/** `transaction.status` of a charge that is not decided: initiated, in progress, ambiguous. */
export const PENDING_STATUSES: ReadonlySet<string> = new Set(['TI', 'TIP', 'TA'])

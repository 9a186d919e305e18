import type { Charge } from '../adapter.js'
import {
  currencyAt,
  decimalAt,
  type JsonObject,
  objectOf,
  textAt,
  textOfBody,
} from '../json-answer.js'
import type { Answer, CallResult, Declined, Flag, QueryReading, SendReading } from '../reading.js'
import {
  limitedQuery,
  limitedSend,
  MISCONFIGURED,
  statesMoney,
  unanswered,
} from '../usual-readings.js'
import {
  CONFIGURATION_CODES,
  FAILURE_OF_REASON,
  INVALID_REQUEST_CODES,
  normaliseCode,
  PENDING_STATUSES,
} from './codes.js'

/** The answers of MTN MoMo Collections. The code decides, then the status: MTN answers 500 to refusals and faults. */

/** The answer to POST requesttopay. */
export function readSend(result: CallResult): SendReading {
  if (result.phase !== 'answered') return unanswered(result)
  const body = objectOf(result.body)
  const providerCode = codeOf(body)
  const code = normaliseCode(providerCode ?? '')
  switch (result.status) {
    case 202:
      return { kind: 'pending' }
    case 400:
      // An answer without a code is the API gateway's, if it is JSON or empty; HTML is that of any proxy.
      if (INVALID_REQUEST_CODES.has(code) || (!providerCode && isOfGateway(result, body))) {
        return { kind: 'not_sent', failure: 'invalid_request', retry: false, providerCode }
      }
      break
    case 401:
      return { ...MISCONFIGURED, providerCode, renew: 'token' }
    case 403:
      if (!providerCode || code.startsWith('FORBIDDEN')) return { ...MISCONFIGURED, providerCode }
      break
    case 404:
      if (!providerCode) return { kind: 'not_sent', failure: 'provider_unavailable', retry: true }
      break
    case 409:
      return {
        kind: 'may_have_happened',
        providerCode,
        flags: [code === 'RESOURCE_ALREADY_EXIST' ? 'reference_exists' : 'unknown_code'],
      }
    case 429:
      return limitedSend(result, providerCode)
    case 500:
      if (CONFIGURATION_CODES.has(code)) return { ...MISCONFIGURED, providerCode }
      break
  }
  return { kind: 'may_have_happened', providerCode, flags: flagsOf(providerCode) }
}

function flagsOf(code: string | undefined): Flag[] {
  if (code === undefined) return ['unknown_shape']
  return FAILURE_OF_REASON.has(normaliseCode(code)) ? [] : ['unknown_code']
}

/** The answer to GET requesttopay/{reference}. */
export function readQuery(result: CallResult, charge: Charge): QueryReading {
  if (result.phase !== 'answered') return { kind: 'no_news' }
  const { status } = result
  const body = objectOf(result.body)
  if (status === 200) return readStatus(body, charge)
  const providerCode = codeOf(body)
  const isNotFound = normaliseCode(providerCode ?? '') === 'RESOURCE_NOT_FOUND'
  if (status === 404 && isNotFound) return { kind: 'unknown_there', providerCode }
  if (status === 401)
    return { kind: 'no_news', providerCode, renew: 'token', flags: ['configuration'] }
  if (status === 429) return limitedQuery(result, providerCode)
  const isRefusal = status === 403 || CONFIGURATION_CODES.has(normaliseCode(providerCode ?? ''))
  return { kind: 'no_news', providerCode, flags: isRefusal ? ['configuration'] : [] }
}

/** The body of a status answer, or of a callback. `charge` is absent if the body alone is read. */
export function readStatus(body: JsonObject | undefined, charge?: Charge): QueryReading {
  const status = textAt(body, 'status')
  if (status === undefined) return { kind: 'no_news', flags: ['unknown_shape'] }
  const externalId = textAt(body, 'externalId')
  if (charge && externalId !== undefined && externalId !== charge.paymentReference) {
    return { kind: 'no_news', providerCode: status, flags: ['other_reference'] }
  }
  const stated = {
    transactionId: textAt(body, 'financialTransactionId'),
    amount: decimalAt(body, 'amount'),
    currency: currencyAt(body, 'currency'),
  }
  switch (status.toUpperCase()) {
    case 'SUCCESSFUL':
      // Without both, the success can't be compared with the payment.
      if (!statesMoney(stated)) {
        return { kind: 'pending', providerCode: status, ...stated, flags: ['amount_missing'] }
      }
      return { kind: 'succeeded', ...stated }
    case 'FAILED':
      return { ...declinedOf(body), ...stated }
  }
  const isKnown = PENDING_STATUSES.has(status.toUpperCase())
  return {
    kind: 'pending',
    providerCode: status,
    ...stated,
    flags: isKnown ? [] : ['unknown_status'],
  }
}

function declinedOf(body: JsonObject | undefined): Declined {
  // Some markets send the reason as a string, others as an object.
  const reason = textAt(body, 'reason', 'code') ?? textAt(body, 'reason')
  const failure = FAILURE_OF_REASON.get(normaliseCode(reason ?? ''))
  return {
    kind: 'declined',
    failure: failure ?? 'provider_error',
    providerCode: reason,
    flags: failure || reason === undefined ? [] : ['unknown_code'],
  }
}

/** MTN's own errors have a `code`. Those of its API gateway have `statusCode` or `error` instead. */
function codeOf(body: JsonObject | undefined): string | undefined {
  return textAt(body, 'code')
}

function isOfGateway({ body }: Answer, object: JsonObject | undefined): boolean {
  return object !== undefined || textOfBody(body)?.trim() === ''
}

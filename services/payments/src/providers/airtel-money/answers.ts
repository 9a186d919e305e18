import type { Charge } from '../adapter.js'
import type { FailureCode } from '../failures.js'
import { type JsonObject, objectOf, textAt, valueAt } from '../json-answer.js'
import type { CallResult, QueryReading, SendReading } from '../reading.js'
import { limitedQuery, limitedSend, MISCONFIGURED, unanswered } from '../usual-readings.js'
import {
  ID_EXISTS,
  MEANING_OF_CODE,
  NO_PIN_OR_UNKNOWN,
  NOT_FOUND_CODES,
  PENDING_STATUSES,
} from './codes.js'

/** The answers of Airtel Money, Collection APIs. */

/**
 * The answer to POST payments. `data.transaction.status` is not read: it is SUCCESS for a request that was accepted,
 * and the payer has not been asked yet.
 */
export function readSend(result: CallResult): SendReading {
  if (result.phase !== 'answered') return unanswered(result)
  const { status } = result
  const body = objectOf(result.body)
  const providerCode = codeOf(body)
  if (status === 401) return { ...MISCONFIGURED, providerCode, renew: 'token' }
  if (status === 429) return limitedSend(result, providerCode)
  // Our ids are valid, and the payer has not been asked yet, so that of its causes one is left.
  if (status === 400 && providerCode === NO_PIN_OR_UNKNOWN) {
    return { kind: 'not_sent', failure: 'payer_unknown', retry: false, providerCode }
  }
  const meaning = MEANING_OF_CODE.get(providerCode ?? '')
  switch (meaning?.kind) {
    case 'declined':
      return { ...meaning, providerCode }
    case 'not_sent': {
      const isConfiguration = meaning.failure === 'provider_configuration'
      return {
        ...meaning,
        retry: false,
        providerCode,
        flags: isConfiguration ? ['configuration'] : [],
      }
    }
    case 'pending':
      // HTTP 200 with `success: false` is a refusal; whether a charge exists is open.
      if (status === 200 && valueAt(body, 'status', 'success') === true) return { kind: 'pending' }
      return { kind: 'may_have_happened', providerCode }
    case 'may_have_happened':
      return {
        kind: 'may_have_happened',
        providerCode,
        flags: providerCode === ID_EXISTS ? ['reference_exists'] : [],
      }
  }
  // The web application firewall refuses with HTML, before the payments API.
  if (status === 403 && providerCode === undefined) return MISCONFIGURED
  const flag = providerCode === undefined ? 'unknown_shape' : 'unknown_code'
  return { kind: 'may_have_happened', providerCode, flags: [flag] }
}

/**
 * The answer to GET payments/{id}. Only a status of the transaction decides: a code without one may be about the
 * query itself.
 */
export function readQuery(result: CallResult, charge: Charge): QueryReading {
  if (result.phase !== 'answered') return { kind: 'no_news' }
  const { status } = result
  const body = objectOf(result.body)
  const providerCode = codeOf(body)
  if (status === 401) {
    return { kind: 'no_news', providerCode, renew: 'token', flags: ['configuration'] }
  }
  if (status === 429) return limitedQuery(result, providerCode)
  const word = textAt(body, 'data', 'transaction', 'status')
  const isAnswer = status === 200 && valueAt(body, 'status', 'success') !== false
  if (isAnswer && word !== undefined) {
    const id = textAt(body, 'data', 'transaction', 'id')
    if (id !== undefined && id !== charge.reference) {
      return { kind: 'no_news', providerCode, flags: ['other_reference'] }
    }
    const transactionId = textAt(body, 'data', 'transaction', 'airtel_money_id')
    return readTransactionStatus(word, transactionId, providerCode)
  }
  if (NOT_FOUND_CODES.has(providerCode ?? '')) return { kind: 'unknown_there', providerCode }
  const meaning = MEANING_OF_CODE.get(providerCode ?? '')
  if (meaning?.kind === 'pending') return { kind: 'pending', providerCode }
  const isRefusal = meaning?.kind === 'not_sent' || status === 403
  return { kind: 'no_news', providerCode, flags: isRefusal ? ['configuration'] : [] }
}

/**
 * A status of a transaction, of a query or a callback.
 *
 * @param code of the answer, which gives the reason of a failure
 */
export function readTransactionStatus(
  word: string,
  transactionId: string | undefined,
  code: string | undefined,
): QueryReading {
  const providerCode = code ?? word
  switch (word) {
    case 'TS':
      return { kind: 'succeeded', transactionId }
    case 'TF':
      return { kind: 'declined', failure: failureOf(code), providerCode, transactionId }
    case 'TE':
      return { kind: 'declined', failure: 'payer_timeout', providerCode, transactionId }
  }
  const flags = PENDING_STATUSES.has(word) ? [] : (['unknown_status'] as const)
  return { kind: 'pending', providerCode: word, transactionId, flags }
}

function failureOf(code: string | undefined): FailureCode {
  const meaning = MEANING_OF_CODE.get(code ?? '')
  if (meaning?.kind === 'declined') return meaning.failure
  return code === NO_PIN_OR_UNKNOWN ? 'payer_timeout' : 'provider_error'
}

/** The product's code, or the one of the layer that answered instead. */
function codeOf(body: JsonObject | undefined): string | undefined {
  return (
    textAt(body, 'status', 'response_code') ??
    textAt(body, 'status', 'result_code') ??
    textAt(body, 'status_code') ??
    textAt(body, 'error_code') ??
    textAt(body, 'code') ??
    textAt(body, 'error')
  )
}

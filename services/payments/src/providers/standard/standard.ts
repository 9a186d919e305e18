import type { Adapter, CallContext, Charge } from '../adapter.js'
import { readFields } from '../fields.js'
import { type FailureCode, isFailureCode } from '../failures.js'
import { currencyAt, decimalAt, type JsonObject, objectOf, textAt } from '../json-answer.js'
import type { CallResult, QueryReading, SendReading } from '../reading.js'
import { querySchedule, SEND_RETRY_SECONDS } from '../schedule.js'
import {
  limitedQuery,
  limitedSend,
  MISCONFIGURED,
  statesMoney,
  unanswered,
} from '../usual-readings.js'

/** The API that docs/providers.md describes, of a provider that sends the signed webhook of Malipo. */
export const standard: Adapter<Record<string, never>> = {
  name: 'standard',
  capabilities: {
    methods: ['MOBILE_MONEY', 'CARD', 'BANK_TRANSFER'],
    reference: 'ours',
    amount: 'stated',
    callback: { url: 'webhook', signed: true },
    textLength: 100,
    visibilitySeconds: 60,
  },
  credentials: { apiKey: { required: true } },
  parseSettings: (given) => readFields(given).result({}),
  // The webhook names a payment by its reference, so that a charge has the same one.
  newReference: (_random, paymentReference) => paymentReference,
  payerOf: (phone) => phone,
  initiate: {
    needs: () => [],
    timeoutSeconds: 30,
    retrySeconds: SEND_RETRY_SECONDS,
    request: (charge, context) => ({
      method: 'POST',
      path: '/charges',
      headers: { ...headersOf(context), 'content-type': 'application/json' },
      body: Buffer.from(
        JSON.stringify({
          reference: charge.reference,
          amount: charge.amount,
          currency: charge.currency,
          phone: charge.payer,
          description: charge.text,
          callbackUrl: charge.callbackUrl,
        }),
      ),
    }),
    read: readSend,
  },
  query: {
    needs: () => [],
    timeoutSeconds: 10,
    scheduleSeconds: querySchedule([10, 30, 60, 120, 300]),
    request: (charge, context) => ({
      method: 'GET',
      path: `/charges/${encodeURIComponent(charge.reference)}`,
      headers: headersOf(context),
    }),
    read: readQuery,
  },
}

function headersOf({ credentials }: CallContext<unknown>) {
  return { authorization: `Bearer ${credentials.apiKey ?? ''}` }
}

/** Codes of 400 and 422. Both statuses say that no charge exists, with any code. */
const FAILURE_OF_REFUSAL: ReadonlyMap<string, FailureCode> = new Map([
  ['payer_unknown', 'payer_unknown'],
  ['limit_reached', 'limit_reached'],
])

function readSend(result: CallResult): SendReading {
  if (result.phase !== 'answered') return unanswered(result)
  const providerCode = textAt(objectOf(result.body), 'code')
  if (result.status === 202) return { kind: 'pending' }
  // Without a code, a proxy may have answered, and nothing is certain.
  if (providerCode === undefined) return { kind: 'may_have_happened', flags: ['unknown_shape'] }
  switch (result.status) {
    case 400:
    case 422: {
      const failure = FAILURE_OF_REFUSAL.get(providerCode) ?? 'invalid_request'
      return { kind: 'not_sent', failure, retry: false, providerCode }
    }
    case 401:
    case 403:
      return { ...MISCONFIGURED, providerCode }
    case 409:
      return { kind: 'may_have_happened', providerCode, flags: ['reference_exists'] }
    case 429:
      return limitedSend(result, providerCode)
  }
  return { kind: 'may_have_happened', providerCode, flags: ['unknown_code'] }
}

function readQuery(result: CallResult, charge: Charge): QueryReading {
  if (result.phase !== 'answered') return { kind: 'no_news' }
  const body = objectOf(result.body)
  if (result.status === 200) return readCharge(body, charge)
  const providerCode = textAt(body, 'code')
  switch (result.status) {
    case 401:
    case 403:
      return { kind: 'no_news', providerCode, flags: ['configuration'] }
    case 404:
      if (providerCode === 'charge_not_found') return { kind: 'unknown_there', providerCode }
      break
    case 429:
      return limitedQuery(result, providerCode)
  }
  return { kind: 'no_news', providerCode }
}

function readCharge(body: JsonObject | undefined, charge: Charge): QueryReading {
  const status = textAt(body, 'status')
  if (status === undefined) return { kind: 'no_news', flags: ['unknown_shape'] }
  if (textAt(body, 'reference') !== charge.reference) {
    return { kind: 'no_news', flags: ['other_reference'] }
  }
  const stated = {
    transactionId: textAt(body, 'providerTransactionId'),
    amount: decimalAt(body, 'amount'),
    currency: currencyAt(body, 'currency'),
  }
  if (status === 'SUCCESS') {
    if (!statesMoney(stated)) {
      return { kind: 'pending', ...stated, flags: ['amount_missing'] }
    }
    if (stated.transactionId === undefined) {
      return { kind: 'pending', ...stated, flags: ['unknown_shape'] }
    }
    return { kind: 'succeeded', ...stated }
  }
  if (status === 'FAILED') return { ...stated, ...declinedOf(body) }
  const flags = status === 'PENDING' ? [] : (['unknown_status'] as const)
  return { kind: 'pending', providerCode: status, ...stated, flags }
}

function declinedOf(body: JsonObject | undefined) {
  const providerCode = textAt(body, 'failure', 'code')
  const isKnown = providerCode !== undefined && isFailureCode(providerCode)
  const failure: FailureCode = isKnown ? providerCode : 'provider_error'
  const isUnknown = providerCode !== undefined && !isKnown
  const flags = isUnknown ? (['unknown_code'] as const) : []
  return { kind: 'declined' as const, failure, providerCode, flags }
}

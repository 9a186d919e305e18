import { isIP } from 'node:net'
import type { ChargeRequest } from '../charges/charges.js'
import { asObject } from '../http/json.js'
import { isAmount } from '../http/money.js'
import { MTN_ENVIRONMENTS } from './environments.js'
import { badRequest, type ErrorResponse, ERRORS } from './errors.js'
import { payerBehaviour } from './test-numbers.js'
import type { User } from './users.js'

const UUID_V4 = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i
const MSISDN = /^[1-9]\d{7,14}$/
const MAX_TEXT = 160

type Body = Readonly<Record<string, unknown>>

/** The header `X-Reference-Id`, which must be a UUID of version 4. */
export function readReference(header: unknown): string | undefined {
  return typeof header === 'string' && UUID_V4.test(header) ? header.toLowerCase() : undefined
}

/**
 * Judges a request to pay as MTN does.
 *
 * @param callbackUrl the header `X-Callback-Url`
 */
export function readRequestToPay(
  user: User,
  reference: string,
  body: Body | undefined,
  callbackUrl: string | undefined,
): ChargeRequest | ErrorResponse {
  if (!body) return badRequest('The body is not a JSON object')
  const error = errorOf(user, body) ?? textError(body) ?? callbackError(user, callbackUrl)
  if (error) return error
  const { amount, currency, externalId = '', ...texts } = body as Record<string, string>
  const phone = msisdnOf(body)!
  const isSandbox = user.targetEnvironment === 'sandbox'
  return {
    provider: 'mtn-momo',
    account: user.id,
    reference,
    amount: amount!,
    currency: currency!,
    phone,
    details: { externalId, payerMessage: texts.payerMessage!, payeeNote: texts.payeeNote! },
    callbackUrl,
    testNumber: isSandbox ? payerBehaviour(phone) : undefined,
  }
}

function errorOf(user: User, { amount, currency, externalId = '', ...body }: Body) {
  if (typeof currency !== 'string') return badRequest('currency must be a string')
  if (currency !== MTN_ENVIRONMENTS[user.targetEnvironment]) return ERRORS.currency
  if (typeof amount !== 'string' || !isAmount(amount, currency)) {
    return badRequest('amount must be a decimal string with the digits of the currency')
  }
  if (typeof externalId !== 'string' || externalId.length > MAX_TEXT) {
    return badRequest('externalId must be a string')
  }
  return msisdnOf(body) ? undefined : badRequest('payer must be an MSISDN with its country code')
}

function msisdnOf({ payer }: Body): string | undefined {
  const { partyIdType, partyId } = asObject(payer) ?? {}
  const isMsisdn = partyIdType === 'MSISDN' && typeof partyId === 'string' && MSISDN.test(partyId)
  return isMsisdn ? partyId : undefined
}

/** MTN rejects apostrophes and ampersands, and fails on an empty text. */
function textError(body: Body): ErrorResponse | undefined {
  const texts = [body.payerMessage ?? '', body.payeeNote ?? '']
  if (!texts.every((text) => typeof text === 'string'))
    return badRequest('payerMessage and payeeNote must be strings')
  if (texts.some((text) => text.length > MAX_TEXT || /['&]/.test(text))) {
    return badRequest(
      "payerMessage and payeeNote must have at most 160 characters, without ' and &",
    )
  }
  return texts.includes('') ? ERRORS.internal : undefined
}

/** The host must be that of the API user, and a name. MTN requires HTTPS, which the simulator does not. */
function callbackError({ callbackHost }: User, url: string | undefined): ErrorResponse | undefined {
  if (url === undefined) return undefined
  if (url === '') return badRequest('X-Callback-Url is empty')
  const target = URL.parse(url)
  const isHttp = target?.protocol === 'https:' || target?.protocol === 'http:'
  if (!target || !isHttp || isIP(target.hostname.replace(/^\[|\]$/g, '')) > 0) {
    return ERRORS.callbackHost
  }
  return [target.host, target.hostname].includes(callbackHost) ? undefined : ERRORS.callbackHost
}

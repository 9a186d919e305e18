import { describe, expect, it } from 'vitest'
import type { AdapterCase } from '../../../test/conformance/adapter-case.js'
import { describeAdapter } from '../../../test/conformance/adapter.js'
import { answerOf, jsonOf } from '../../../test/conformance/provider-answers.js'
import type { Charge } from '../adapter.js'
import { mtnMomo, type MtnSettings } from './mtn-momo.js'

const account = {
  name: 'mtn-ug',
  mode: 'live' as const,
  country: 'UG',
  currency: 'UGX',
  digits: 0,
}

const error = (status: number, code: string) =>
  answerOf(status, jsonOf({ code, message: 'as MTN says' }))
const HTML = '<html><body>403 - Forbidden. Microsoft-Azure-Application-Gateway/v2</body></html>'

/** MTN’s sample of a status, for the charge of the conformance tests. */
const statusOf = (
  fields: object,
  { paymentReference, amount, payer }: Pick<Charge, 'paymentReference' | 'amount' | 'payer'> = {
    paymentReference: 'PAY-019aa0a0-0000-7000-8000-000000000000',
    amount: '5000',
    payer: '256772123456',
  },
) => ({
  externalId: paymentReference,
  amount,
  currency: 'UGX',
  payer: { partyIdType: 'MSISDN', partyId: payer },
  payerMessage: 'test',
  payeeNote: 'test',
  ...fields,
})
const status = (fields: object) => answerOf(200, jsonOf(statusOf(fields)))
const failed = (reason: unknown) => status({ status: 'FAILED', reason })

const refused = { kind: 'not_sent', retry: false } as const
const configuration = {
  ...refused,
  failure: 'provider_configuration',
  flags: ['configuration'],
} as const
const doubtful = { kind: 'may_have_happened' } as const

const DECLINED = [
  ['APPROVAL_REJECTED', 'payer_rejected'],
  ['REJECTED', 'payer_rejected'],
  ['EXPIRED', 'payer_timeout'],
  ['COULD_NOT_PERFORM_TRANSACTION', 'payer_timeout'],
  ['PAYMENT_NOT_APPROVED', 'payer_timeout'],
  ['TRANSACTION_CANCELED', 'payer_timeout'],
  ['NOT_ENOUGH_FUNDS', 'insufficient_funds'],
  ['LOW_BALANCE_OR_PAYEE_LIMIT_REACHED_OR_NOT_ALLOWED', 'insufficient_funds'],
  ['PAYER_LIMIT_REACHED', 'limit_reached'],
  ['PAYER_NOT_FOUND', 'payer_unknown'],
  ['SENDER_ACCOUNT_NOT_ACTIVE', 'payer_unknown'],
  ['PAYEE_NOT_FOUND', 'merchant_account'],
  ['PAYEE_NOT_ALLOWED_TO_RECEIVE', 'merchant_account'],
  ['PAYEE_LIMIT_REACHED', 'merchant_account'],
  ['INTERNAL_PROCESSING_ERROR', 'provider_error'],
  ['SERVICE_UNAVAILABLE', 'provider_error'],
  ['VALIDATION_ERROR', 'provider_error'],
] as const

const mtn: AdapterCase<MtnSettings> = {
  adapter: mtnMomo,
  account,
  settings: { targetEnvironment: 'mtnuganda' },
  credentials: {
    subscriptionKey: '0123456789abcdef0123456789abcdef',
    userId: '68bf7ee0-b2c6-4d61-b6c1-61e19ef3c1a2',
    apiKey: 'f1db798c98df4bcf83b538175893bbf0',
  },
  grants: { token: 'eyJ0eXAiOiJKV1QifQ.e30.c2ln' },
  phones: [
    ['+256772123456', '256772123456'],
    ['+46733123450', '46733123450'],
  ],
  referenceForm: /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
  stated({ headers, body }) {
    const sent = JSON.parse(Buffer.from(body ?? []).toString())
    return {
      reference: headers['x-reference-id'],
      amount: sent.amount,
      currency: sent.currency,
      payer: sent.payer.partyId,
      texts: [sent.payerMessage, sent.payeeNote],
    }
  },
  sends: [
    ['202: accepted', answerOf(202), { kind: 'pending' }],
    ...['REQUEST REJECTED', 'BAD REQUEST', 'BAD_REQUEST'].map(
      (code) =>
        [
          `400 ${code}: invalid`,
          error(400, code),
          { ...refused, failure: 'invalid_request', providerCode: code },
        ] as const,
    ),
    ['400 without a body: invalid', answerOf(400), { ...refused, failure: 'invalid_request' }],
    [
      '400 of the API gateway: invalid',
      answerOf(400, '{"error":"Invalid or missing X-Target-Environment header"}'),
      { ...refused, failure: 'invalid_request' },
    ],
    ['400 in HTML: in doubt', answerOf(400, HTML), doubtful],
    [
      '401: a new token is needed',
      answerOf(
        401,
        '{"statusCode":401,"message":"Access denied due to invalid subscription key."}',
      ),
      { ...configuration, renew: 'token' },
    ],
    ['403 FORBIDDEN IP: configuration', error(403, 'FORBIDDEN IP'), configuration],
    ['403 in HTML: configuration', answerOf(403, HTML), configuration],
    [
      '404 without a code: retried',
      answerOf(404, '{"statusCode":404,"message":"Resource not found"}'),
      { kind: 'not_sent', failure: 'provider_unavailable', retry: true },
    ],
    [
      'R17: 409: the reference exists, and a query decides',
      error(409, 'RESOURCE_ALREADY_EXIST'),
      { ...doubtful, flags: ['reference_exists'] },
    ],
    [
      'R15: 429: backs off',
      answerOf(429, '', { 'retry-after': '7' }),
      { kind: 'not_sent', retry: true, flags: ['rate_limited'], retryAfterSeconds: 7 },
    ],
    ...[
      'NOT_ALLOWED',
      'NOT_ALLOWED_TARGET_ENVIRONMENT',
      'INVALID_CALLBACK_URL_HOST',
      'INVALID_CURRENCY',
    ].map(
      (code) =>
        [
          `R7: 500 ${code}: configuration`,
          error(500, code),
          { ...configuration, providerCode: code },
        ] as const,
    ),
    [
      'R7: 500 INTERNAL_PROCESSING_ERROR: in doubt',
      error(500, 'INTERNAL_PROCESSING_ERROR'),
      { ...doubtful, flags: [] },
    ],
    ['R7: 503 SERVICE_UNAVAILABLE: in doubt', error(503, 'SERVICE_UNAVAILABLE'), doubtful],
    ['200 of a portal: in doubt', answerOf(200, HTML), doubtful],
    ['a redirection: in doubt', answerOf(302), doubtful],
  ],
  queries: [
    [
      'SUCCESSFUL',
      status({ status: 'SUCCESSFUL', financialTransactionId: '1806336820' }),
      { kind: 'succeeded', transactionId: '1806336820', amount: '5000', currency: 'UGX' },
    ],
    [
      'SUCCESSFUL with numbers',
      status({ status: 'SUCCESSFUL', financialTransactionId: 1806336820, amount: 5000.5 }),
      { kind: 'succeeded', transactionId: '1806336820', amount: '5000.5' },
    ],
    ...DECLINED.flatMap(([code, failure]) =>
      [code, { code, message: 'as MTN says' }].map(
        (reason) =>
          [
            `R8: FAILED ${jsonOf(reason)}: ${failure}`,
            failed(reason),
            { kind: 'declined', failure, providerCode: code, flags: [] },
          ] as const,
      ),
    ),
    [
      'FAILED without a reason: provider_error',
      status({ status: 'FAILED' }),
      { kind: 'declined', failure: 'provider_error', flags: [] },
    ],
    ...['PENDING', 'ONGOING', 'DELAYED'].map(
      (word) => [word, status({ status: word }), { kind: 'pending', flags: [] }] as const,
    ),
    [
      'R9: 404 RESOURCE_NOT_FOUND: unknown there, which ends nothing',
      error(404, 'RESOURCE_NOT_FOUND'),
      { kind: 'unknown_there' },
    ],
    ['404 of another server: no news', answerOf(404, HTML), { kind: 'no_news' }],
    ['401: a new token is needed', answerOf(401), { kind: 'no_news', renew: 'token' }],
    ['403: configuration', answerOf(403, HTML), { kind: 'no_news', flags: ['configuration'] }],
    [
      '500 NOT_ALLOWED: configuration, and the charge is open',
      error(500, 'NOT_ALLOWED'),
      { kind: 'no_news', flags: ['configuration'] },
    ],
    [
      'R15: 429: backs off',
      answerOf(429, '', { 'retry-after': '30' }),
      { kind: 'no_news', flags: ['rate_limited'], retryAfterSeconds: 30 },
    ],
    ['500: no news', error(500, 'INTERNAL_PROCESSING_ERROR'), { kind: 'no_news' }],
    [
      'another externalId: no news',
      status({ status: 'SUCCESSFUL', externalId: 'PAY-other' }),
      { kind: 'no_news', flags: ['other_reference'] },
    ],
    ...[undefined, 'NaN', '-5000', '0x1388', '5,000', 'Infinity'].map(
      (amount) =>
        [
          `R12: SUCCESSFUL with the amount ${amount}: pending, and counted`,
          status({ status: 'SUCCESSFUL', amount }),
          { kind: 'pending', flags: ['amount_missing'] },
        ] as const,
    ),
  ],
  errorBody: (code) => jsonOf({ code, message: 'as MTN says' }),
  codeStatuses: [400, 404, 500, 502, 503],
  statusBody: (word, charge) => jsonOf(statusOf({ status: word }, charge)),
  failedBody: (reason, charge) => jsonOf(statusOf({ status: 'FAILED', reason }, charge)),
  paidBody: (charge) => statusOf({ status: 'SUCCESSFUL', financialTransactionId: '1' }, charge),
  requiredOfPaid: ['amount', 'currency'],
}

describeAdapter(mtn)

describe('a callback', () => {
  it('is unsigned, so that it triggers a query', () => {
    const body = Buffer.from(
      jsonOf(statusOf({ status: 'SUCCESSFUL', financialTransactionId: '1' })),
    )
    const settings = { targetEnvironment: 'mtnuganda' }
    const full = { ...account, settings, credentials: [mtn.credentials] }
    expect(mtnMomo.readCallback?.({ headers: {}, body }, full)).toMatchObject({
      verdict: 'unsigned',
      reading: { kind: 'succeeded', amount: '5000' },
    })
  })
})

import { generateKeyPairSync } from 'node:crypto'
import { describeAdapter } from '../../../test/conformance/adapter.js'
import { answerOf, jsonOf } from '../../../test/conformance/provider-answers.js'
import { airtelMoney } from './airtel-money.js'

const ID = '07070707070707070707070707070707'

const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
const encryptionKey = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')

/** Airtel’s sample of an answer. */
const bodyOf = (response_code: string, success: boolean, transaction?: object) => ({
  ...(transaction && { data: { transaction } }),
  status: {
    code: '200',
    message: 'as Airtel says',
    result_code: 'ESB000010',
    response_code,
    success,
  },
})
const accepted = { id: ID, status: 'SUCCESS' }
const send = (status: number, code: string, success = status === 200) =>
  answerOf(status, jsonOf(bodyOf(code, success, success ? accepted : undefined)))
/** An error of the layers below the product. */
const esb = (status: number, code: string) =>
  answerOf(status, jsonOf({ status: { result_code: code, success: false } }))
const router = (status: number, code: string) =>
  answerOf(status, jsonOf({ status_code: code, status_message: 'as Airtel says' }))

const enquiry = (word: string, code = 'DP00800001001', id = ID) =>
  answerOf(
    200,
    jsonOf(bodyOf(code, true, { airtel_money_id: 'C3648', id, message: 'done', status: word })),
  )

const doubtful = { kind: 'may_have_happened' } as const
const configuration = {
  kind: 'not_sent',
  failure: 'provider_configuration',
  retry: false,
  flags: ['configuration'],
} as const
const invalid = { kind: 'not_sent', failure: 'invalid_request', retry: false } as const

const DECLINED = [
  ['DP00800001002', 'payer_rejected'],
  ['DP00800001003', 'limit_reached'],
  ['DP00800001004', 'limit_reached'],
  ['DP00800001007', 'insufficient_funds'],
  ['DP00800001008', 'payer_rejected'],
  ['DP00800001009', 'provider_error'],
  ['DP00800001010', 'merchant_account'],
  ['DP00800001029', 'payer_timeout'],
] as const

describeAdapter({
  adapter: airtelMoney,
  account: { name: 'airtel-zm', mode: 'live', country: 'ZM', currency: 'ZMW', digits: 2 },
  settings: {},
  credentials: { clientId: 'client-1', clientSecret: 'secret-1', callbackKey: 'private-1' },
  grants: { token: 'Zm9v', encryptionKey },
  phones: [
    ['+260971234567', '971234567'],
    ['+256752604392', undefined],
  ],
  referenceForm: /^[\da-f]{32}$/,
  stated({ body }) {
    const { reference, subscriber, transaction } = JSON.parse(Buffer.from(body ?? []).toString())
    return {
      reference: transaction.id,
      amount: transaction.amount,
      currency: transaction.currency,
      payer: subscriber.msisdn,
      texts: [reference],
    }
  },
  sends: [
    ['200 …006: accepted', send(200, 'DP00800001006'), { kind: 'pending' }],
    ['200 …001: accepted, not paid', send(200, 'DP00800001001'), { kind: 'pending' }],
    ['200 …000: ambiguous', send(200, 'DP00800001000'), { kind: 'pending' }],
    [
      'R16: 200 …006 with success false: in doubt',
      send(200, 'DP00800001006', false),
      { ...doubtful, providerCode: 'DP00800001006' },
    ],
    ...DECLINED.map(
      ([code, failure]) =>
        [
          `R8: 200 ${code} with success false: ${failure}`,
          send(200, code, false),
          { kind: 'declined', failure, providerCode: code },
        ] as const,
    ),
    ['R7: 500 …005: in doubt', send(500, 'DP00800001005'), doubtful],
    ['200 …005 with success false: in doubt', send(200, 'DP00800001005', false), doubtful],
    [
      '400 …005, Msisdn Not Found: payer_unknown',
      send(400, 'DP00800001005'),
      { kind: 'not_sent', failure: 'payer_unknown', retry: false },
    ],
    ['…024, timed out: in doubt', send(200, 'DP00800001024', false), doubtful],
    ['…025, not found: in doubt', send(200, 'DP00800001025', false), doubtful],
    [
      '…026, another signature: a new key is needed',
      send(403, 'DP00800001026'),
      { ...configuration, renew: 'encryptionKey' },
    ],
    ...['001', '003', '005', '006', '007', '112', '119'].map(
      (code) =>
        [
          `ROUTER${code}: configuration`,
          router(400, `ROUTER${code}`),
          { ...configuration, providerCode: `ROUTER${code}` },
        ] as const,
    ),
    ...['114', '115', '116'].map(
      (code) => [`ROUTER${code}: in doubt`, router(400, `ROUTER${code}`), doubtful] as const,
    ),
    ['R7: ROUTER117, timed out: in doubt', router(504, 'ROUTER117'), { ...doubtful, flags: [] }],
    ...['ESB000033', 'ESB000036'].map(
      (code) => [`${code}: invalid`, esb(400, code), { ...invalid, providerCode: code }] as const,
    ),
    ...['ESB000034', 'ESB000035', 'ESB000039'].map(
      (code) => [`${code}: configuration`, esb(400, code), configuration] as const,
    ),
    ...['ESB000001', 'ESB000004', 'ESB000008', 'ESB000011', 'ESB000014', 'ESB000045'].map(
      (code) => [`${code}: in doubt`, esb(500, code), { ...doubtful, flags: [] }] as const,
    ),
    [
      'R17: ESB000041: the id exists, and a query decides',
      esb(400, 'ESB000041'),
      { ...doubtful, flags: ['reference_exists'] },
    ],
    [
      'ESB000010 alone with success true: accepted',
      answerOf(200, '{"status":{"result_code":"ESB000010","success":true}}'),
      { kind: 'pending' },
    ],
    [
      '401: a new token is needed',
      answerOf(401, '{"error":"unauthorized","error_description":"token expired"}'),
      { ...configuration, renew: 'token' },
    ],
    ['403 in HTML: configuration', answerOf(403, '<html>Forbidden</html>'), configuration],
    [
      'R15: 429: backs off',
      answerOf(429, '', { 'retry-after': '9' }),
      { kind: 'not_sent', retry: true, retryAfterSeconds: 9, flags: ['rate_limited'] },
    ],
    ['R7: 408: in doubt', answerOf(408), doubtful],
    [
      'R16: an unread status of a paid transaction is no success',
      enquiry('TS'),
      { kind: 'pending' },
    ],
  ],
  queries: [
    ['TS', enquiry('TS'), { kind: 'succeeded', transactionId: 'C3648' }],
    ...DECLINED.map(
      ([code, failure]) =>
        [
          `R8: TF ${code}: ${failure}`,
          enquiry('TF', code),
          { kind: 'declined', failure, providerCode: code },
        ] as const,
    ),
    [
      'TF …005, no PIN: payer_timeout',
      enquiry('TF', 'DP00800001005'),
      { kind: 'declined', failure: 'payer_timeout' },
    ],
    [
      'TF with a code of success: provider_error',
      enquiry('TF', 'DP00800001001'),
      { kind: 'declined', failure: 'provider_error' },
    ],
    ['TE', enquiry('TE', 'DP00800001029'), { kind: 'declined', failure: 'payer_timeout' }],
    ...['TIP', 'TI', 'TA'].map(
      (word) => [word, enquiry(word), { kind: 'pending', flags: [] }] as const,
    ),
    ...['DP00800001000', 'DP00800001006'].map(
      (code) => [`${code} without a status`, send(200, code, false), { kind: 'pending' }] as const,
    ),
    ...DECLINED.map(
      ([code]) =>
        [
          `${code} without a status of the transaction: no news`,
          send(200, code, false),
          { kind: 'no_news' },
        ] as const,
    ),
    ...(['DP00800001025', 'ESB000045'] as const).map(
      (code) =>
        [
          `R9: ${code}: unknown there, which ends nothing`,
          esb(404, code),
          { kind: 'unknown_there' },
        ] as const,
    ),
    [
      'TS with success false: no news',
      answerOf(200, jsonOf(bodyOf('X', false, { status: 'TS' }))),
      { kind: 'no_news' },
    ],
    [
      'TS with HTTP 500: no news',
      answerOf(500, jsonOf(bodyOf('X', true, { status: 'TS' }))),
      { kind: 'no_news' },
    ],
    [
      'another id: no news',
      enquiry('TS', 'DP00800001001', 'other'),
      { kind: 'no_news', flags: ['other_reference'] },
    ],
    ['…024: no news', send(200, 'DP00800001024', false), { kind: 'no_news' }],
    ['…005 without a status: no news', send(400, 'DP00800001005'), { kind: 'no_news' }],
    ['404 of another server: no news', answerOf(404, '<p>Not Found'), { kind: 'no_news' }],
    ['401: a new token is needed', answerOf(401), { kind: 'no_news', renew: 'token' }],
    [
      'ROUTER007: configuration',
      router(400, 'ROUTER007'),
      { kind: 'no_news', flags: ['configuration'] },
    ],
    ['R15: 429: backs off', answerOf(429), { kind: 'no_news', flags: ['rate_limited'] }],
  ],
  errorBody: (response_code) => jsonOf({ status: { response_code, success: false } }),
  codeStatuses: [200, 400, 403, 404, 408, 500, 502, 503, 504],
  statusBody: (status, { reference: id }) => jsonOf(bodyOf('DP00800001001', true, { id, status })),
  failedBody: (code, { reference: id }) => jsonOf(bodyOf(code, true, { id, status: 'TF' })),
  paidBody: ({ reference: id }) =>
    bodyOf('DP00800001001', true, { airtel_money_id: 'C3648', id, status: 'TS' }),
  requiredOfPaid: ['data'],
})

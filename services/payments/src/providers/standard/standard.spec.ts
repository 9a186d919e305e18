import { describeAdapter } from '../../../test/conformance/adapter.js'
import { answerOf, jsonOf } from '../../../test/conformance/provider-answers.js'
import type { Charge } from '../adapter.js'
import { FAILURE_CODES } from '../failures.js'
import { standard } from './standard.js'

const error = (status: number, code: string) => answerOf(status, jsonOf({ code }))

const chargeOf = (
  fields: object,
  { reference, amount, payer }: Pick<Charge, 'reference' | 'amount' | 'payer'> = {
    reference: 'PAY-019aa0a0-0000-7000-8000-000000000000',
    amount: '5000.00',
    payer: '+254712345678',
  },
) => ({ reference, amount, currency: 'KES', phone: payer, ...fields })
const charge = (fields: object) => answerOf(200, jsonOf(chargeOf(fields)))

const refused = { kind: 'not_sent', retry: false } as const

describeAdapter({
  adapter: standard,
  account: { name: 'acme', mode: 'live', country: 'KE', currency: 'KES', digits: 2 },
  settings: undefined,
  credentials: { apiKey: '4f1c9e' },
  grants: {},
  phones: [
    ['+254712345678', '+254712345678'],
    ['+256772123456', '+256772123456'],
  ],
  referenceForm: /^PAY-/,
  stated({ body }) {
    const sent = JSON.parse(Buffer.from(body ?? []).toString())
    const { reference, amount, currency, phone: payer, description } = sent
    return { reference, amount, currency, payer, texts: [description] }
  },
  sends: [
    ['202: accepted', answerOf(202, jsonOf(chargeOf({ status: 'PENDING' }))), { kind: 'pending' }],
    ...[400, 422].flatMap((status) =>
      (
        [
          ['invalid_request', 'invalid_request'],
          ['invalid_amount', 'invalid_request'],
          ['invalid_currency', 'invalid_request'],
          ['invalid_phone', 'invalid_request'],
          ['payer_unknown', 'payer_unknown'],
          ['limit_reached', 'limit_reached'],
        ] as const
      ).map(
        ([code, failure]) =>
          [
            `${status} ${code}: ${failure}`,
            error(status, code),
            { ...refused, failure, providerCode: code },
          ] as const,
      ),
    ),
    ['400 in HTML: in doubt', answerOf(400, '<p>Bad Request'), { kind: 'may_have_happened' }],
    ...([401, 403] as const).map(
      (status) =>
        [
          `${status}: configuration`,
          error(status, 'unauthenticated'),
          { ...refused, failure: 'provider_configuration', flags: ['configuration'] },
        ] as const,
    ),
    [
      'R17: 409: the reference exists, and a query decides',
      error(409, 'duplicate_reference'),
      { kind: 'may_have_happened', flags: ['reference_exists'] },
    ],
    [
      'R15: 429: backs off',
      answerOf(429, '{"code":"too_many_requests"}', { 'retry-after': '3' }),
      { kind: 'not_sent', retry: true, retryAfterSeconds: 3, flags: ['rate_limited'] },
    ],
  ],
  queries: [
    [
      'SUCCESS',
      charge({ status: 'SUCCESS', providerTransactionId: 'ST1' }),
      { kind: 'succeeded', transactionId: 'ST1', amount: '5000.00', currency: 'KES' },
    ],
    [
      'SUCCESS without a transaction id: pending, and counted',
      charge({ status: 'SUCCESS' }),
      { kind: 'pending', flags: ['unknown_shape'] },
    ],
    ...FAILURE_CODES.map(
      (code) =>
        [
          `R8: FAILED ${code}`,
          charge({ status: 'FAILED', failure: { code } }),
          { kind: 'declined', failure: code, flags: [] },
        ] as const,
    ),
    [
      'FAILED without a failure: provider_error',
      charge({ status: 'FAILED' }),
      { kind: 'declined', failure: 'provider_error' },
    ],
    ['PENDING', charge({ status: 'PENDING' }), { kind: 'pending', flags: [] }],
    [
      'another reference: no news',
      charge({ status: 'SUCCESS', reference: 'PAY-other', providerTransactionId: 'ST1' }),
      { kind: 'no_news', flags: ['other_reference'] },
    ],
    [
      'R9: 404 charge_not_found: unknown there, which ends nothing',
      error(404, 'charge_not_found'),
      { kind: 'unknown_there' },
    ],
    ['404 of another server: no news', error(404, 'not_found'), { kind: 'no_news' }],
    [
      '401: configuration',
      error(401, 'unauthenticated'),
      { kind: 'no_news', flags: ['configuration'] },
    ],
    ['500: no news', error(500, 'internal'), { kind: 'no_news' }],
  ],
  errorBody: (code) => jsonOf({ code }),
  codeStatuses: [404, 500, 502, 503],
  statusBody: (word, of) => jsonOf(chargeOf({ status: word }, of)),
  failedBody: (code, of) => jsonOf(chargeOf({ status: 'FAILED', failure: { code } }, of)),
  paidBody: (of) => chargeOf({ status: 'SUCCESS', providerTransactionId: 'ST1' }, of),
  requiredOfPaid: ['amount', 'currency', 'providerTransactionId', 'reference'],
})

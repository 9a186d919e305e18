import fc from 'fast-check'
import type { Answer, CallResult } from '../../src/providers/reading.js'

/** Answers of providers in tests: well-formed ones, and what proxies, outages and attackers send instead. */

export type Bytes = string | Uint8Array

export function jsonOf(value: unknown): string {
  return JSON.stringify(value)
}

export function answerOf(
  status: number,
  body: Bytes = '',
  headers: Answer['headers'] = {},
): Answer {
  return { phase: 'answered', status, headers, body: Buffer.from(body) }
}

const HTML = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>'

/** Bodies that no provider documents. */
export const malformedBodies: readonly Bytes[] = [
  HTML,
  '<!DOCTYPE html><p>{"status":"SUCCESSFUL"}</p>',
  '{"status":"SUCCESSFUL","amount":"5000","curr',
  '{"data":{"transaction":{"status":"TS"',
  '[]',
  '[{"status":"SUCCESSFUL"}]',
  '{}',
  '{"status":[]}',
  '{"status":null,"data":null}',
  '{"status":{},"data":{"transaction":[]}}',
  '{"__proto__":{"status":"SUCCESS"}}',
  '{"constructor":{"prototype":{"status":"SUCCESS"}}}',
  'null',
  '1e999999',
  '"SUCCESSFUL"',
  'true',
  '['.repeat(60_000),
  `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
  Buffer.from('{"status":"SUCCESSFUL","note":"\xE9"}', 'latin1'),
  Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
  '{"status":"\\u0000","code":"\\ud800"}',
]

/** Fields that the readers of adapters look at, with anything in them. */
const FIELDS = [
  'status',
  'code',
  'reason',
  'message',
  'amount',
  'currency',
  'externalId',
  'reference',
  'financialTransactionId',
  'providerTransactionId',
  'failure',
  'data',
  'transaction',
  'id',
  'airtel_money_id',
  'status_code',
  'response_code',
  'result_code',
  'success',
  'hash',
  'error',
  'access_token',
  'expires_in',
  'key',
  '__proto__',
] as const

const WORDS = [
  ...['SUCCESSFUL', 'FAILED', 'PENDING', 'SUCCESS', 'TS', 'TF', 'TIP', 'TE', 'NOT_ALLOWED'],
  ...['DP00800001007', 'ESB000033', 'RESOURCE_NOT_FOUND', 'payer_rejected', 'UGX', '5000', ''],
]

const nested = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(...WORDS),
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.constantFrom(true, false, null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...FIELDS), tie('value'), { maxKeys: 6 }),
  ),
})).value

const numbers = fc.constantFrom('1e400', '-0', '9'.repeat(400), '0.1', '1E+308')

const body = fc.oneof(
  nested.map((value) => Buffer.from(jsonOf(value))),
  numbers.map((number) => Buffer.from(`{"amount":${number},"code":${number},"status":"FAILED"}`)),
  fc.uint8Array({ maxLength: 200 }),
  fc.constantFrom(...malformedBodies).map((bytes) => Buffer.from(bytes)),
)

const status = fc.oneof(
  fc.constantFrom(200, 202, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504),
  fc.integer({ min: 100, max: 599 }),
)

/** Any result of a call. */
export const anyResult: fc.Arbitrary<CallResult> = fc.oneof(
  fc.constantFrom({ phase: 'connecting' as const }, { phase: 'sent' as const }),
  fc
    .record({
      status,
      body,
      headers: fc.constantFrom({}, { 'retry-after': '5' }, { 'retry-after': 'soon' }),
    })
    .map((answer) => ({ phase: 'answered' as const, ...answer })),
)

/** The responses of Airtel Money. Most errors have the HTTP status 200 and `success: false`. */
export interface AirtelResponse {
  readonly status: number
  readonly body: object
}

interface Codes {
  /** In the form of an HTTP status. */
  readonly code: string
  readonly message: string
  readonly result: string
  readonly response: string
  readonly isSuccess: boolean
}

const SUCCESS = { code: '200', message: 'SUCCESS', result: 'ESB000010', isSuccess: true } as const

function envelope(codes: Codes, data?: object): object {
  const status = {
    code: codes.code,
    message: codes.message,
    result_code: codes.result,
    response_code: codes.response,
    success: codes.isSuccess,
  }
  return data ? { data, status } : { status }
}

export const succeeded = (response: string, data: object): AirtelResponse => ({
  status: 200,
  body: envelope({ ...SUCCESS, response }, data),
})

const failed = (
  status: number,
  code: string,
  message: string,
  result: string,
  response: string,
) => ({
  status,
  body: envelope({ code, message, result, response, isSuccess: false }),
})
/** The form of Airtel's router. */
const router = (status: number, code: string, message: string) => ({
  status,
  body: { status_code: code, status_message: message },
})

export const RESPONSES = {
  clientInvalid: {
    status: 400,
    body: { error: 'invalid_client', error_description: 'Invalid client authentication' },
  },
  grantInvalid: {
    status: 400,
    body: { error: 'unsupported_grant_type', error_description: 'Unsupported grant type' },
  },
  tokenInvalid: {
    status: 401,
    body: { error: 'invalid_token', error_description: 'The access token is invalid or expired' },
  },
  headerMissing: router(400, 'ROUTER003', 'Mandatory headers missing in request'),
  countryInvalid: router(400, 'ROUTER006', 'Invalid country code provided'),
  currencyInvalid: router(400, 'ROUTER112', 'Invalid currency provided'),
  rateLimited: router(429, 'ROUTER001', 'Too many requests'),
  /** Also for a request that Airtel may have carried out. */
  timedOut: router(500, 'ROUTER117', 'The request timed out'),
  signature: failed(403, '403', 'Forbidden', 'ESB000008', 'DP00800001026'),
  invalid: failed(400, '400', 'Field validation failed', 'ESB000008', 'DP00800001005'),
  msisdnInvalid: failed(400, '400', 'Invalid MSISDN', 'ESB000033', 'DP00800001005'),
  amountInvalid: failed(200, '400', 'Invalid amount', 'ESB000008', 'DP00800001004'),
  duplicate: failed(200, '400', 'Transaction id exists already', 'ESB000041', 'DP00800001005'),
  notFound: failed(200, '404', 'Transaction not found', 'ESB000045', 'DP00800001025'),
  /** What Airtel answers to the query of an id with a hyphen. */
  idInvalid: failed(200, '400', 'Transaction id is invalid', 'ESB000008', 'DP00800001005'),
  limit: failed(200, '400', 'Exceeds withdrawal amount limit(s)', 'ESB000011', 'DP00800001003'),
} as const satisfies Record<string, AirtelResponse>

/** A rejected request with the code that an operator chose. */
export const otherRejection = (code: string): AirtelResponse =>
  failed(200, '400', 'Set by an operator', 'ESB000011', code)

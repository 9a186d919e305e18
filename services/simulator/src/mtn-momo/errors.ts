/** The error responses of MTN MoMo, and of the gateways before it. */
export interface ErrorResponse {
  readonly status: number
  /** A string is HTML. */
  readonly body: object | string
}

const coded = (status: number, code: string, message: string): ErrorResponse => ({
  status,
  body: { code, message },
})
/** The form of Azure API Management. */
const gateway = (statusCode: number, message: string): ErrorResponse => ({
  status: statusCode,
  body: { statusCode, message },
})

const BLOCKED = `<html>
<head><title>403 Forbidden</title></head>
<body><center><h1>403 Forbidden</h1></center><hr><center>Microsoft-Azure-Application-Gateway/v2</center></body>
</html>
`

export const ERRORS = {
  subscriptionKeyMissing: gateway(
    401,
    'Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.',
  ),
  subscriptionKeyInvalid: gateway(
    401,
    'Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.',
  ),
  tokenInvalid: gateway(401, 'Unauthorized. Access token is missing or invalid.'),
  rateLimited: gateway(429, 'Rate limit is exceeded. Try again in 1 seconds.'),
  blocked: { status: 403, body: BLOCKED },
  environmentHeader: {
    status: 400,
    body: { error: 'Invalid or missing X-Target-Environment header' },
  },
  loginFailed: { status: 401, body: { error: 'login_failed' } },
  clientInvalid: { status: 401, body: { error: 'invalid_client' } },
  notFound: coded(404, 'RESOURCE_NOT_FOUND', 'Requested resource was not found.'),
  duplicate: coded(
    409,
    'RESOURCE_ALREADY_EXIST',
    'Duplicated reference id. Creation of resource failed.',
  ),
  notAllowed: coded(500, 'NOT_ALLOWED', 'Authorization failed. Insufficient permissions.'),
  targetEnvironment: coded(
    500,
    'NOT_ALLOWED_TARGET_ENVIRONMENT',
    'Access to target environment is forbidden.',
  ),
  callbackHost: coded(
    500,
    'INVALID_CALLBACK_URL_HOST',
    'Callback URL with different host name then configured for API User.',
  ),
  currency: coded(500, 'INVALID_CURRENCY', 'Currency not supported.'),
  internal: coded(500, 'INTERNAL_PROCESSING_ERROR', 'An internal error occurred while processing.'),
  unavailable: coded(
    503,
    'SERVICE_UNAVAILABLE',
    'Service temporarily unavailable, try again later.',
  ),
} as const satisfies Record<string, ErrorResponse>

export const badRequest = (message: string): ErrorResponse => coded(400, 'BAD REQUEST', message)

/** An error response with a code that an operator chose. */
export const otherError = (code: string): ErrorResponse =>
  coded(500, code, 'Error set by an operator.')

/**
 * Every error response is a problem document (RFC 9457). Code throws a `Problem` with a kind of the service's
 * `problems.ts`. Other errors, except Fastify's and Nest's, become a 500 that reveals only the request id.
 */

/** A kind of problem. `type` is the last segment of the URI `/problems/{type}`. */
export interface ProblemKind {
  readonly type: string
  readonly status: number
  readonly title: string
}

/** An invalid field of the input. */
export interface FieldError {
  readonly field: string
  readonly message: string
}

interface ProblemExtras {
  readonly errors?: readonly FieldError[]
  /** The names of the invalid fields for the log. It has no name that a client chose. */
  readonly loggedFields?: readonly string[]
  /** The value of `Retry-After`, in seconds. */
  readonly retryAfterSeconds?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Extension members of the document (RFC 9457, section 3.2). */
  readonly members?: Readonly<Record<string, unknown>>
}

/** An error response. `detail` is for people and must not contain a user's input. */
export class Problem extends Error {
  constructor(
    readonly kind: ProblemKind,
    readonly detail: string,
    readonly extras: ProblemExtras = {},
    options?: ErrorOptions,
  ) {
    super(`${kind.type}: ${detail}`, options)
    this.name = 'Problem'
  }
}

/** Problem kinds that all services share. */
export const HTTP_PROBLEMS = {
  malformed: { type: 'malformed-request', status: 400, title: 'The request can’t be read' },
  validation: { type: 'validation', status: 400, title: 'The request is not valid' },
  notFound: { type: 'not-found', status: 404, title: 'Not found' },
  methodNotAllowed: { type: 'method-not-allowed', status: 405, title: 'Method not allowed' },
  timeout: { type: 'request-timeout', status: 408, title: 'Request timeout' },
  precondition: { type: 'precondition-failed', status: 412, title: 'Precondition failed' },
  tooLarge: { type: 'payload-too-large', status: 413, title: 'The body is too large' },
  uriTooLong: { type: 'uri-too-long', status: 414, title: 'The URI is too long' },
  mediaType: { type: 'unsupported-media-type', status: 415, title: 'The body must be JSON' },
  contentEncoding: {
    type: 'unsupported-content-encoding',
    status: 415,
    title: 'The body must not be encoded',
  },
  range: { type: 'range-not-satisfiable', status: 416, title: 'Range not satisfiable' },
  expectation: { type: 'expectation-failed', status: 417, title: 'Expectation failed' },
  tooManyInvalid: {
    type: 'too-many-invalid-requests',
    status: 429,
    title: 'Too many invalid requests',
  },
  headersTooLarge: { type: 'headers-too-large', status: 431, title: 'The headers are too large' },
  internal: { type: 'internal', status: 500, title: 'Internal server error' },
  unavailable: { type: 'unavailable', status: 503, title: 'Service unavailable' },
  notReady: { type: 'not-ready', status: 503, title: 'Not ready to serve' },
} as const satisfies Record<string, ProblemKind>

/** The 503 for a request that is rejected under overload. */
export function overloaded(cause?: unknown): Problem {
  return new Problem(
    HTTP_PROBLEMS.unavailable,
    'The service is overloaded. The request was not processed and can be retried.',
    { retryAfterSeconds: 1 },
    { cause },
  )
}

export const PROBLEM_JSON = 'application/problem+json'

/** Header blocks have up to 16 kB, and so may a path. */
const MAX_PATH_CHARACTERS = 1_000

/**
 * The path of a request's target, up to a maximum length. It excludes the query, because that may contain a
 * phone number, and the authority of a target in absolute form (RFC 9112, section 3.2.2).
 */
export function pathOf({ url = '/' }: { readonly url?: string | undefined }): string {
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '')
  return target.split(/[?#]/, 1)[0]?.slice(0, MAX_PATH_CHARACTERS) || '/'
}

/** The body of an error response. `path` is the result of `shownPath`. */
export function problemDocument({ kind, detail, extras }: Problem, path: string, id: string) {
  return JSON.stringify({
    type: `/problems/${kind.type}`,
    title: kind.title,
    status: kind.status,
    detail,
    instance: path,
    requestId: id,
    errors: extras.errors,
    ...extras.members,
  })
}

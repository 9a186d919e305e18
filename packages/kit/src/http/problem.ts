/**
 * One shape for every error on the wire: problem details, RFC 9457.
 *
 * Domain code throws a `Problem` made of a kind from a table; `ProblemFilter` writes it.
 * Anything else that is thrown becomes a bare 500 that carries nothing but the request id.
 */

/** A kind of error: one row of a service's `problems.ts`. `type` ends the URI `/problems/{type}`. */
export interface ProblemKind {
  readonly type: string
  readonly status: number
  readonly title: string
}

/** What is wrong with one field of the input; `field` is a path such as `metadata.order`. */
export interface FieldError {
  readonly field: string
  readonly message: string
}

/** What a problem may carry beside its kind and detail. */
export interface ProblemExtras {
  readonly errors?: readonly FieldError[]
  /** Seconds, sent as `Retry-After`. */
  readonly retryAfterSeconds?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Extension members of the document (RFC 9457, section 3.2). */
  readonly members?: Readonly<Record<string, unknown>>
}

/** An answer that is an error. `detail` is for people and must not carry what a user typed. */
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

/** The kinds that HTTP itself and its plumbing bring, in every service. */
export const HTTP_PROBLEMS = {
  malformed: { type: 'malformed-request', status: 400, title: 'The request can’t be read' },
  validation: { type: 'validation', status: 400, title: 'The request is not valid' },
  notFound: { type: 'not-found', status: 404, title: 'There is nothing here' },
  methodNotAllowed: { type: 'method-not-allowed', status: 405, title: 'Not with this method' },
  timeout: { type: 'request-timeout', status: 408, title: 'The request took too long to arrive' },
  tooLarge: { type: 'payload-too-large', status: 413, title: 'The body is too large' },
  uriTooLong: { type: 'uri-too-long', status: 414, title: 'The address is too long' },
  mediaType: { type: 'unsupported-media-type', status: 415, title: 'The body must be JSON' },
  headersTooLarge: { type: 'headers-too-large', status: 431, title: 'The headers are too large' },
  internal: { type: 'internal', status: 500, title: 'Something went wrong here' },
  unavailable: { type: 'unavailable', status: 503, title: 'Not available just now' },
  notReady: { type: 'not-ready', status: 503, title: 'Not ready to serve' },
} as const satisfies Record<string, ProblemKind>

/** The 503 for what is turned away since too much arrives; nothing of it was begun. */
export function overloaded(cause?: unknown): Problem {
  return new Problem(
    HTTP_PROBLEMS.unavailable,
    'More requests arrive than can be answered in time. Nothing was done: try again a little later.',
    { retryAfterSeconds: 1 },
    { cause },
  )
}

/** The media type of every error body. */
export const PROBLEM_JSON = 'application/problem+json'

/** The members that every problem document has. */
export interface ProblemDocument {
  type: string
  title: string
  status: number
  detail: string
  instance: string
  requestId: string
  errors?: readonly FieldError[]
}

/** The path of a request's address, without the query, which may hold a phone. */
export function pathOf({ url = '/' }: { readonly url?: string | undefined }): string {
  return url.split('?', 1)[0] ?? '/'
}

/** The body of an error answer. `path` is that of `pathOf`. */
export function problemDocument(problem: Problem, path: string, requestId: string) {
  const { kind, detail, extras } = problem
  const document: ProblemDocument = {
    type: `/problems/${kind.type}`,
    title: kind.title,
    status: kind.status,
    detail,
    instance: path,
    requestId,
  }
  if (extras.errors) document.errors = extras.errors
  return extras.members ? { ...document, ...extras.members } : document
}

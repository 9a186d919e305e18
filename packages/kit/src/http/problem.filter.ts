import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { allowedMethods } from './allowed-methods.js'
import type { InvalidRequests } from './invalid-requests.js'
import {
  HTTP_PROBLEMS,
  type ProblemKind,
  Problem,
  PROBLEM_JSON,
  problemDocument,
} from './problem.js'
import { hasRawBody } from './raw-body.js'
import type { Request } from './request.js'
import { shownPath } from './secret-path.js'

const UNREADABLE = [HTTP_PROBLEMS.malformed, 'The request can’t be read.'] as const
const NO_ROUTE = [HTTP_PROBLEMS.notFound, 'No route has this path.'] as const
const INTERNAL = [HTTP_PROBLEMS.internal, 'The cause is in the log, under the request id.'] as const

/** The problem kind and detail for errors of Fastify and Nest, by HTTP status. */
const BY_STATUS: Readonly<Record<number, readonly [ProblemKind, string]>> = {
  400: UNREADABLE,
  // @fastify/static rejects a path outside its folder.
  403: NO_ROUTE,
  404: NO_ROUTE,
  408: [HTTP_PROBLEMS.timeout, 'The request was not received completely in time.'],
  412: [HTTP_PROBLEMS.precondition, 'The file has another ETag or date.'],
  413: [HTTP_PROBLEMS.tooLarge, 'The body is larger than 100 kB.'],
  414: [HTTP_PROBLEMS.uriTooLong, 'A segment of the path is too long.'],
  415: [HTTP_PROBLEMS.mediaType, 'Send the body with Content-Type: application/json.'],
  416: [HTTP_PROBLEMS.range, 'The file is shorter than the range.'],
  431: [HTTP_PROBLEMS.headersTooLarge, 'The headers are larger than 16 kB.'],
}

/** Converts any thrown value into a problem. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const status = statusOf(error)
  const [kind, detail] = BY_STATUS[status] ?? (status < 500 ? UNREADABLE : INTERNAL)
  return new Problem(kind, detail, {}, { cause: error })
}

/** The status of an error of Nest (`HttpException`) or Fastify (a code with prefix `FST_`); otherwise 500. */
function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus()
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return 500
  return String(error.code).startsWith('FST_') ? Number(error.statusCode) : 500
}

/**
 * Fastify rejects a QUERY request without Content-Type (RFC 10008, section 2) before it answers 404. Nest drops the
 * error's code, so every malformed request without a route gets the 404.
 */
function problemOf(error: unknown, request: Request): Problem {
  const problem = toProblem(error)
  if (!request.is404 || error instanceof Problem || problem.kind !== HTTP_PROBLEMS.malformed) {
    return problem
  }
  return new Problem(...NO_ROUTE, {}, { cause: error })
}

@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly fastify: FastifyInstance,
    private readonly invalidRequests: InvalidRequests,
  ) {}

  catch(error: unknown, host: ArgumentsHost) {
    const http = host.switchToHttp()
    const request = http.getRequest<Request>()
    const reply = http.getResponse<FastifyReply>()
    if (reply.sent || reply.raw.headersSent) return
    const problem = this.withAllowedMethods(problemOf(error, request), request)
    if (hasRawBody(request)) return sendProblem(request, reply, problem)
    this.invalidRequests.respond({ ip: request.ip, request, reply }, problem, (answer) =>
      sendProblem(request, reply, answer),
    )
  }

  /** Turns a 404 into a 405 with `Allow` if the path has other methods (RFC 9110, section 15.5.6). */
  private withAllowedMethods(problem: Problem, request: Request): Problem {
    if (problem.kind !== HTTP_PROBLEMS.notFound) return problem
    const allowed = allowedMethods(this.fastify, request.url)
    if (allowed.length === 0 || allowed.includes(request.method)) return problem
    return new Problem(HTTP_PROBLEMS.methodNotAllowed, `Use ${allowed.join(' or ')}.`, {
      headers: { allow: allowed.join(', ') },
    })
  }
}

/** Sends the problem and records it for the access log. */
export function sendProblem(request: Request, reply: FastifyReply, problem: Problem) {
  request.failure = problem
  const { retryAfterSeconds, headers } = problem.extras
  if (headers) reply.headers(headers)
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
  const body = problemDocument(problem, shownPath(request), request.id)
  void reply.code(problem.kind.status).type(PROBLEM_JSON).send(body)
}

import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import {
  HTTP_PROBLEMS,
  type ProblemKind,
  pathOf,
  Problem,
  PROBLEM_JSON,
  problemDocument,
} from './problem.js'
import type { Request } from './request.js'
import type { RouteTable } from './route-table.js'

/** The problem kind and detail for errors of Fastify and Nest, by HTTP status. */
const BY_STATUS: Readonly<Record<number, readonly [ProblemKind, string]>> = {
  400: [HTTP_PROBLEMS.malformed, 'The request can’t be read.'],
  404: [HTTP_PROBLEMS.notFound, 'No route has this path.'],
  408: [HTTP_PROBLEMS.timeout, 'The request was not received completely in time.'],
  413: [HTTP_PROBLEMS.tooLarge, 'The body is larger than 100 kB.'],
  414: [HTTP_PROBLEMS.uriTooLong, 'A segment of the path is too long.'],
  415: [HTTP_PROBLEMS.mediaType, 'Send the body with Content-Type: application/json.'],
  431: [HTTP_PROBLEMS.headersTooLarge, 'The headers are larger than 16 kB.'],
}

/** Converts any thrown value into a problem. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const other = [HTTP_PROBLEMS.internal, 'The cause is in the log, under the request id.'] as const
  const [kind, detail] = BY_STATUS[statusOf(error)] ?? other
  return new Problem(kind, detail, {}, { cause: error })
}

/** The status of an error of Nest (`HttpException`) or Fastify (a code with prefix `FST_`); otherwise 500. */
function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus()
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return 500
  return String(error.code).startsWith('FST_') ? Number(error.statusCode) : 500
}

@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly routes: RouteTable) {}

  catch(error: unknown, host: ArgumentsHost) {
    const http = host.switchToHttp()
    const request = http.getRequest<Request>()
    const reply = http.getResponse<FastifyReply>()
    if (reply.sent || reply.raw.headersSent) return
    sendProblem(request, reply, this.withAllowedMethods(toProblem(error), request))
  }

  /** Turns a 404 into a 405 with `Allow` if the path has other methods (RFC 9110, section 15.5.6). */
  private withAllowedMethods(problem: Problem, request: Request): Problem {
    if (problem.kind !== HTTP_PROBLEMS.notFound) return problem
    const allowed = this.routes.methodsOf(pathOf(request))
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
  const body = problemDocument(problem, pathOf(request), request.id)
  void reply.code(problem.kind.status).type(PROBLEM_JSON).send(body)
}

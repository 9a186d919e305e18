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

/** How an error of Fastify or Nest, which carries only a status, is told to the client. */
const BY_STATUS: Readonly<Record<number, [ProblemKind, string]>> = {
  400: [HTTP_PROBLEMS.malformed, 'The request could not be read.'],
  404: [HTTP_PROBLEMS.notFound, 'No route has this path.'],
  408: [HTTP_PROBLEMS.timeout, 'The request did not arrive whole in time.'],
  413: [HTTP_PROBLEMS.tooLarge, 'The body is larger than 100 kB.'],
  414: [HTTP_PROBLEMS.uriTooLong, 'A part of the path is too long.'],
  415: [HTTP_PROBLEMS.mediaType, 'Send the body with Content-Type: application/json.'],
  431: [HTTP_PROBLEMS.headersTooLarge, 'The headers are larger than 16 kB.'],
}

/** Turns whatever was thrown into the problem that the client is told. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const known = BY_STATUS[statusOf(error)]
  if (known) return new Problem(known[0], known[1], {}, { cause: error })
  return new Problem(
    HTTP_PROBLEMS.internal,
    'The cause is in the log under the request id.',
    {},
    { cause: error },
  )
}

/** Fastify's own errors are told from others by their code, Nest's by their class. */
function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus()
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return 500
  return String(error.code).startsWith('FST_') ? Number(error.statusCode) : 500
}

/** Writes every error of the service as a problem document. */
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

  /** A path that exists under another method is 405 with `Allow` (RFC 9110, section 15.5.6). */
  private withAllowedMethods(problem: Problem, request: Request): Problem {
    if (problem.kind !== HTTP_PROBLEMS.notFound) return problem
    const allowed = this.routes.methodsOf(pathOf(request))
    if (allowed.length === 0 || allowed.includes(request.method)) return problem
    return new Problem(HTTP_PROBLEMS.methodNotAllowed, `Use ${allowed.join(' or ')}.`, {
      headers: { allow: allowed.join(', ') },
    })
  }
}

/** Answers with the problem, and notes it for the log. */
export function sendProblem(request: Request, reply: FastifyReply, problem: Problem) {
  request.failure = problem
  const { retryAfterSeconds, headers } = problem.extras
  if (headers) reply.headers(headers)
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
  const body = JSON.stringify(problemDocument(problem, pathOf(request), request.id))
  void reply.code(problem.kind.status).type(PROBLEM_JSON).send(body)
}

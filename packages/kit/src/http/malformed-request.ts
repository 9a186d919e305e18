import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import type { Logger } from '../telemetry/logger.js'
import {
  HTTP_PROBLEMS,
  type ProblemKind,
  Problem,
  PROBLEM_JSON,
  problemDocument,
} from './problem.js'
import { sendProblem, toProblem } from './problem.filter.js'
import type { Request } from './request.js'
import { REQUEST_ID, requestId } from './headers.js'

/** Handles requests that never reach a route, so that the problem filter and the access log miss them. */

const BY_CODE: Readonly<Record<string, ProblemKind>> = {
  ERR_HTTP_REQUEST_TIMEOUT: HTTP_PROBLEMS.timeout,
  HPE_HEADER_OVERFLOW: HTTP_PROBLEMS.headersTooLarge,
}

/** Responds when Fastify's router rejects a path that can't be decoded or has too long a segment. */
export function replyToInvalidUrl(
  error: Error,
  request: Request,
  reply: FastifyReply,
  log: Logger,
) {
  const problem = toProblem(error)
  sendProblem(request, reply, problem)
  const { status, type } = problem.kind
  log.info({ requestId: request.id, method: request.method, status, problem: type }, 'request')
}

/** Responds on the raw socket to a request that Node's HTTP parser rejects. */
export function replyToMalformedRequest(error: NodeJS.ErrnoException, socket: Socket, log: Logger) {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    // The client has disconnected. Load balancers reset idle connections all the time.
    log.debug({ code: error.code }, 'connection closed by client')
    return socket.destroy()
  }
  const kind = BY_CODE[error.code ?? ''] ?? HTTP_PROBLEMS.malformed
  const id = requestId({})
  socket.end(responseOf(kind, id))
  log.info({ requestId: id, status: kind.status, problem: kind.type, code: error.code }, 'request')
}

function responseOf(kind: ProblemKind, id: string): string {
  const problem = new Problem(kind, 'The request is not valid HTTP, too large or too slow.')
  const body = problemDocument(problem, '/', id)
  const head = [
    `HTTP/1.1 ${kind.status} ${STATUS_CODES[kind.status]}`,
    `content-type: ${PROBLEM_JSON}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `${REQUEST_ID}: ${id}`,
    'connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

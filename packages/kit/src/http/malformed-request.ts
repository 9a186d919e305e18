import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Logger } from '../telemetry/logger.js'
import {
  HTTP_PROBLEMS,
  type ProblemKind,
  Problem,
  PROBLEM_JSON,
  problemDocument,
} from './problem.js'
import { afterResponses } from './pipelining.js'
import { sendProblem } from './problem.filter.js'
import type { Request } from './request.js'
import { REQUEST_ID, requestId } from './headers.js'

/** Handles requests that the HTTP parser or the router rejects, or that Node would answer without a body. */

const BY_CODE: Readonly<Record<string, ProblemKind>> = {
  ERR_HTTP_REQUEST_TIMEOUT: HTTP_PROBLEMS.timeout,
  HPE_HEADER_OVERFLOW: HTTP_PROBLEMS.headersTooLarge,
}

/** Node's own test for the value. */
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i

/** Responds when Fastify's router rejects a path that can't be decoded or has too long a segment. */
export function replyToInvalidUrl(
  request: Request,
  reply: FastifyReply,
  problem: Problem,
  log: Logger,
) {
  sendProblem(request, reply, problem)
  const { status, type } = problem.kind
  log.info({ requestId: request.id, method: request.method, status, problem: type }, 'request')
}

/**
 * Rejects a request of HTTP/1.1 without `Host` or with two (RFC 9112, section 3.2), with a transfer coding other
 * than `chunked` (section 6.1), or with an unknown `Expect`.
 */
export function rejectUnsupportedHeaders(fastify: FastifyInstance) {
  // Node emits this event instead of `request` for an `Expect` other than `100-continue`.
  fastify.server.on('checkExpectation', (request, response) =>
    fastify.server.emit('request', request, response),
  )
  fastify.addHook('onRequest', ({ raw }, _reply, done) => done(headerFaultOf(raw)))
}

function headerFaultOf(request: IncomingMessage): Problem | undefined {
  const { headers, httpVersion } = request
  if (headers.host === undefined && httpVersion === '1.1') {
    return new Problem(HTTP_PROBLEMS.malformed, 'The header Host is missing.')
  }
  if (hasTwoHosts(request)) {
    return new Problem(HTTP_PROBLEMS.malformed, 'The header Host must occur once.')
  }
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return new Problem(HTTP_PROBLEMS.malformed, 'The only transfer coding is chunked.')
  }
  if (headers.expect === undefined || CONTINUE.test(headers.expect)) return undefined
  const detail = 'The only supported value of Expect is 100-continue.'
  return new Problem(HTTP_PROBLEMS.expectation, detail)
}

/** `headers` has only the first. `headersDistinct` would copy all headers of every request. */
function hasTwoHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts > 1
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
  // A client takes the first response as the one to its first request.
  afterResponses(socket, () => socket.end(responseOf(kind, id)))
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

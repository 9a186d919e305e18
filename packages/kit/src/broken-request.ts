import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Pino } from './logger.js'
import { HTTP_PROBLEMS, type Kind, Problem, PROBLEM_JSON, problemDocument } from './problem.js'
import { REQUEST_ID, requestId } from './request-id.js'

/**
 * Answers a request that HTTP itself refuses. It never reaches a route, so that neither the problem
 * filter nor the access log sees it: it is answered on the bare socket, and logged here.
 */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket, log: Pino) {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    // Nobody is there to be answered; balancers cut idle connections all the time.
    log.debug({ code: error.code }, 'a connection was cut')
    return socket.destroy()
  }
  const kind = kindOf(error)
  const id = requestId({})
  socket.end(answer(kind, id))
  log.info({ requestId: id, status: kind.status, problem: kind.type, code: error.code }, 'request')
}

function kindOf({ code }: NodeJS.ErrnoException): Kind {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return HTTP_PROBLEMS.timeout
  if (code === 'HPE_HEADER_OVERFLOW') return HTTP_PROBLEMS.headersTooLarge
  return HTTP_PROBLEMS.malformed
}

function answer(kind: Kind, id: string): string {
  const problem = new Problem(kind, 'The request is not HTTP that this server takes.')
  const body = JSON.stringify(problemDocument(problem, '/', id))
  const head = [
    `HTTP/1.1 ${kind.status} ${STATUS_CODES[kind.status]}`,
    `content-type: ${PROBLEM_JSON}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `${REQUEST_ID}: ${id}`,
    'connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

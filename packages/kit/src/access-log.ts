import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Pino } from './logger.js'
import { HTTP_PROBLEMS, type Problem } from './problem.js'
import type { Request } from './request.js'

/**
 * One line for each request: those answered with an error at `info` (4xx) or `error` (5xx) with the
 * cause, the others at `debug`. The route's template stands for the path, so no phone of a query and no
 * reference gets in.
 */
export function logRequests(fastify: FastifyInstance, log: Pino) {
  fastify.addHook('onResponse', (request, reply, done) => {
    const level = levelOf(reply.statusCode, request.failure)
    if (log.isLevelEnabled(level)) log[level](line(request, reply), 'request')
    done()
  })
}

function levelOf(status: number, failure: Problem | undefined) {
  // A probe asks each second or two: why we are not ready is told by who waits, not by who asks.
  if (failure?.kind === HTTP_PROBLEMS.notReady) return 'debug'
  if (status >= 500) return status === 503 ? 'warn' : 'error'
  return status >= 400 ? 'info' : 'debug'
}

function line(request: Request, reply: FastifyReply) {
  const { failure, actor } = request
  return {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? 'unmatched',
    status: reply.statusCode,
    durationMs: Math.round(reply.elapsedTime * 10) / 10,
    ...(actor ? { actor } : {}),
    ...(failure ? { problem: failure.kind.type } : {}),
    ...(failure?.extras.errors
      ? { fields: failure.extras.errors.map(({ field }) => fieldForLog(field)) }
      : {}),
    ...(failure && reply.statusCode >= 500 ? { err: failure.cause ?? failure } : {}),
  }
}

/** A field that we don't know has any name that its sender likes: a phone, a token, a pass phrase. */
function fieldForLog(field: string): string {
  return /^[a-z_.]{1,40}$/i.test(field) ? field : '[other]'
}

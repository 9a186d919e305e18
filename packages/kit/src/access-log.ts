import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Pino } from './logger.js'
import { mask } from './mask.js'
import { HTTP_PROBLEMS, type Problem } from './problem.js'
import type { Request } from './request.js'
import { traceIdOf } from './tracing.js'

/**
 * One line for each request: those answered with an error at `info` (4xx) or `error` (5xx) with the
 * cause, the others at `debug`, or at `info` if `all` are asked for. The route's template stands for the
 * path, so no phone of a query and no reference gets in.
 */
export function logRequests(fastify: FastifyInstance, log: Pino, all: boolean) {
  const quiet = all ? 'info' : 'debug'
  fastify.addHook('onResponse', (request, reply, done) => {
    const level = levelOf(reply.statusCode, request.failure) ?? quiet
    if (log.isLevelEnabled(level))
      log[level]({ ...line(request), ...answer(request, reply) }, 'request')
    done()
  })
  // Who went away gets no answer, and the request no end.
  fastify.addHook('onRequestAbort', (request, done) => {
    if (log.isLevelEnabled(quiet)) log[quiet]({ ...line(request), aborted: true }, 'request')
    done()
  })
}

function levelOf(status: number, failure: Problem | undefined) {
  // A probe asks each second or two: why we are not ready is told by who waits, not by who asks.
  if (failure?.kind === HTTP_PROBLEMS.notReady) return undefined
  if (status >= 500) return status === 503 ? 'warn' : 'error'
  return status >= 400 ? 'info' : undefined
}

function line(request: Request) {
  const { id, actor, method, routeOptions } = request
  const traceId = traceIdOf(request)
  return {
    requestId: mask(id),
    ...(traceId === undefined ? {} : { traceId }),
    method,
    route: routeOptions.url ?? 'unmatched',
    ...(actor ? { actor } : {}),
  }
}

function answer({ failure }: Request, reply: FastifyReply) {
  return {
    status: reply.statusCode,
    durationMs: Math.round(reply.elapsedTime * 10) / 10,
    ...(failure ? { problem: failure.kind.type } : {}),
    ...(failure?.extras.errors
      ? { fields: failure.extras.errors.map(({ field }) => fieldForLog(field)) }
      : {}),
    ...(failure && reply.statusCode >= 500 && failure.kind !== HTTP_PROBLEMS.notReady
      ? { err: failure.cause ?? failure }
      : {}),
  }
}

/** A field that we don't know has any name that its sender likes: a phone, a token, a pass phrase. */
function fieldForLog(field: string): string {
  return /^[a-z_.]{1,40}$/i.test(field) ? field : '[other]'
}

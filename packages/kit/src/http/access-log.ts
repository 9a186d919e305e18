import type { FastifyReply } from 'fastify'
import type { Logger } from '../telemetry/logger.js'
import { mask } from '../telemetry/mask.js'
import { HTTP_PROBLEMS, type Problem } from './problem.js'
import type { Request } from './request.js'
import type { RequestObserver } from './request-observer.js'
import { traceIdOf } from './request-tracing.js'

/**
 * One line for each request: those answered with an error at `info` (4xx) or `error` (5xx) with the
 * cause, the others at `debug`, or at `info` if `all` are asked for. The route's template stands for the
 * path, so no phone of a query and no reference gets in.
 */
export function logRequests(log: Logger, all: boolean): RequestObserver {
  const quiet = all ? 'info' : 'debug'
  return (request, reply, status) => {
    const level = levelOf(status, request.failure) ?? quiet
    if (log.isLevelEnabled(level)) log[level](line(request, reply, status), 'request')
  }
}

function levelOf(status: number, failure: Problem | undefined) {
  // A probe asks each second or two: why we are not ready is told by who waits, not by who asks.
  if (failure?.kind === HTTP_PROBLEMS.notReady) return undefined
  if (status >= 500) return status === 503 ? 'warn' : 'error'
  return status >= 400 ? 'info' : undefined
}

function line(request: Request, reply: FastifyReply, status: number) {
  const { id, actor, failure, method, routeOptions } = request
  const traceId = traceIdOf(request)
  const fields = failure?.extras.errors
  const isOurs = failure && status >= 500 && failure.kind !== HTTP_PROBLEMS.notReady
  return {
    requestId: mask(id),
    ...(traceId === undefined ? {} : { traceId }),
    method,
    route: routeOptions.url ?? 'unmatched',
    ...(actor ? { actor } : {}),
    status,
    durationMs: Math.round(reply.elapsedTime * 10) / 10,
    ...(failure ? { problem: failure.kind.type } : {}),
    ...(fields ? { fields: fields.map(({ field }) => fieldForLog(field)) } : {}),
    ...(isOurs ? { err: failure.cause ?? failure } : {}),
  }
}

/** A field that we don't know has any name that its sender likes: a phone, a token, a pass phrase. */
function fieldForLog(field: string): string {
  return /^[a-z_.]{1,40}$/i.test(field) ? field : '[other]'
}

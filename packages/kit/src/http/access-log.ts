import type { FastifyReply } from 'fastify'
import type { Logger } from '../telemetry/logger.js'
import { mask } from '../telemetry/mask.js'
import { HTTP_PROBLEMS, type Problem } from './problem.js'
import type { Request } from './request.js'
import type { RequestObserver } from './request-observer.js'
import { traceIdOf } from './request-tracing.js'

/**
 * Logs one line for each request: errors at `info` (4xx), `error` or `warn` (5xx) with the cause, other
 * responses at `debug`, or at `info` if `all` is set. The line has the route's template instead of the path,
 * which may contain a phone or a reference.
 */
export function logRequests(log: Logger, all: boolean): RequestObserver {
  const successLevel = all ? 'info' : 'debug'
  return (request, reply, status) => {
    const level = levelOf(status, request.failure) ?? successLevel
    if (log.isLevelEnabled(level)) log[level](line(request, reply, status), 'request')
  }
}

function levelOf(status: number, failure: Problem | undefined) {
  // Probes come every second; the component that is waiting logs why the service is not ready.
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

/** The client chooses the names of unknown fields: a phone, a token, a password. */
function fieldForLog(field: string): string {
  return /^[a-z_.]{1,40}$/i.test(field) ? field : '[other]'
}

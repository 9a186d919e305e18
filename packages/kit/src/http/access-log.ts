import type { FastifyReply } from 'fastify'
import type { Logger } from '../telemetry/logger.js'
import { mask } from '../telemetry/mask.js'
import { HTTP_PROBLEMS, type Problem } from './problem.js'
import type { Request, RequestObserver } from './request.js'
import { traceIdOf } from './request-tracing.js'

/**
 * Logs one line per request, successes at `debug` unless `all` is set. The line has the route's template
 * instead of the path, which may contain a phone number or a reference.
 */
export function logRequests(log: Logger, all: boolean): RequestObserver {
  const successLevel = all ? 'info' : 'debug'
  return (request, reply, status) => {
    const level = levelOf(status, request.failure) ?? successLevel
    if (log.isLevelEnabled(level)) log[level](line(request, reply, status), 'request')
  }
}

function levelOf(status: number, failure: Problem | undefined) {
  // Probes arrive every second. The component that is not ready logs the reason itself.
  if (failure?.kind === HTTP_PROBLEMS.notReady) return undefined
  if (status >= 500) return status === 503 ? 'warn' : 'error'
  return status >= 400 ? 'info' : undefined
}

function line(request: Request, reply: FastifyReply, status: number) {
  const { id, actor, failure, method, routeOptions } = request
  const isOurs = failure && status >= 500 && failure.kind !== HTTP_PROBLEMS.notReady
  // pino leaves out a field that is undefined.
  return {
    requestId: mask(id),
    traceId: traceIdOf(request),
    method,
    route: routeOptions.url ?? 'unmatched',
    actor,
    status,
    durationMs: Math.round(reply.elapsedTime * 10) / 10,
    problem: failure?.kind.type,
    fields: failure?.extras.errors?.map(({ field }) => fieldForLog(field)),
    err: isOurs ? (failure.cause ?? failure) : undefined,
  }
}

/** A client chooses the names of unknown fields: one may be a phone number, a token or a password. */
function fieldForLog(field: string): string {
  return /^[a-z_.]{1,40}$/i.test(field) ? field : '[other]'
}

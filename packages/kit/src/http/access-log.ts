import type { FastifyReply } from 'fastify'
import type { Logger } from '../telemetry/logger.js'
import { rootCause } from '../telemetry/root-cause.js'
import { HTTP_PROBLEMS, type Problem } from './problem.js'
import { durationMs, type Request, type RequestObserver } from './request.js'
import { traceIdOf } from './request-tracing.js'

/**
 * Logs one line per request; successes are logged at `debug` unless `all` is set. The line contains the
 * route's template instead of the path, because a path may contain a phone number or a payment reference.
 */
export function logRequests(log: Logger, all: boolean): RequestObserver {
  const successLevel = all ? 'info' : 'debug'
  return (request, reply, status) => {
    const level = levelOf(status, request.failure) ?? successLevel
    if (log.isLevelEnabled(level)) log[level](line(request, reply, status), 'request')
  }
}

function levelOf(status: number, failure: Problem | undefined) {
  // Probes arrive every second, and the component that is not ready already logs the reason.
  if (failure?.kind === HTTP_PROBLEMS.notReady) return undefined
  if (status >= 500) return status === 503 ? 'warn' : 'error'
  return status >= 400 ? 'info' : undefined
}

function line(request: Request, reply: FastifyReply, status: number) {
  const { id, actor, context, failure, method, routeOptions } = request
  // pino omits undefined fields.
  return {
    requestId: id,
    traceId: traceIdOf(request),
    method,
    route: routeOptions.url ?? 'unmatched',
    actor,
    status,
    durationMs: tenths(durationMs(request, reply)),
    heldMs: context?.heldMs && tenths(context.heldMs),
    problem: failure?.kind.type,
    fields: failure?.extras.loggedFields,
    // The component that is unavailable logs its error once, with the stack.
    cause: status === 503 ? messageOf(rootCause(failure)) : undefined,
    err: failure && status >= 500 && status !== 503 ? (failure.cause ?? failure) : undefined,
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}

function messageOf(error: unknown): string | undefined {
  return error instanceof Error ? error.message : undefined
}

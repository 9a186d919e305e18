import type { LoggerService } from '@nestjs/common'
import { type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from '../config/variables.js'
import { mask } from './mask.js'
import { requestContext } from './request-context.js'

export type { Logger } from 'pino'

/** The injection token of the service's logger. */
export const LOG = Symbol('log')

/** Logs one JSON line an event to standard output: level, time, service, msg and the event's fields. */
export function createLogger(service: string, level: LogLevel): Logger {
  return pino({
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: errorForLog },
    // pino leaves out a field that is undefined.
    mixin: () => {
      const { requestId, traceId } = requestContext.getStore() ?? {}
      return { requestId: requestId && mask(requestId), traceId }
    },
  })
}

/** An error, masked, without values of a row or request (PostgreSQL's `detail`, Axios' `config`). */
export function errorForLog(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error, message: mask(String(error)) }
  const { name, message, stack, cause } = error
  const { code, constraint } = error as { code?: unknown; constraint?: unknown }
  return {
    type: name,
    message: mask(message),
    code,
    constraint,
    stack: stack && mask(stack),
    cause: cause === undefined ? undefined : errorForLog(cause),
  }
}

/** Nest's own log lines, through the same logger. */
export function nestLogger(log: Logger): LoggerService {
  const at =
    (level: Exclude<LogLevel, 'silent'>) =>
    (message: unknown, ...rest: unknown[]) => {
      const [context, stack] = rest
        .reverse()
        .map((text) => (typeof text === 'string' ? mask(text) : undefined))
      if (message instanceof Error) log[level]({ context, stack, err: message }, message.name)
      else log[level]({ context, stack }, mask(String(message)))
    }
  // Nest logs each module and route that it maps, which helps only to debug a start.
  return {
    log: at('debug'),
    error: at('error'),
    warn: at('warn'),
    debug: at('debug'),
    fatal: at('fatal'),
  }
}

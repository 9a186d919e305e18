import type { LoggerService } from '@nestjs/common'
import { type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from '../config/variables.js'
import { mask } from './mask.js'
import { requestContext } from './request-context.js'

export type { Logger } from 'pino'

/** The injection token of the service's logger. */
export const LOG = Symbol('log')

/** Logs one JSON line per event to standard output, with level, time, service, msg and the event's fields. */
export function createLogger(service: string, level: LogLevel): Logger {
  return pino({
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: errorForLog },
    // pino omits undefined fields.
    mixin: () => {
      const { requestId, traceId } = requestContext.getStore() ?? {}
      return { requestId: requestId && mask(requestId), traceId }
    },
  })
}

/** Masks an error, and omits values of rows and requests (PostgreSQL's `detail`, Axios' `config`). */
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

/** Passes Nest's own log lines to the service's logger. */
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
  // Nest's `log` lines list each module and route, which only helps to debug startup.
  return {
    log: at('debug'),
    error: at('error'),
    warn: at('warn'),
    debug: at('debug'),
    fatal: at('fatal'),
  }
}

import type { LoggerService } from '@nestjs/common'
import {
  type DestinationStream,
  type Logger,
  type LoggerOptions,
  pino,
  stdTimeFunctions,
} from 'pino'
import type { LogLevel } from '../config/variables.js'
import { boundedLine } from './log-line.js'
import { mask, maskRequestId } from './mask.js'
import { requestContext } from './request-context.js'

export type { Logger } from 'pino'

/** The injection token of the service's logger. */
export const LOG = Symbol('log')

/**
 * Logs one JSON line per event to standard output, with level, time, service, msg and the event's fields. Every
 * string is masked here, so that no caller has to, and the length of a line is limited.
 *
 * @param destination instead of standard output
 */
export function createLogger(
  service: string,
  level: LogLevel,
  destination?: DestinationStream,
): Logger {
  const options: LoggerOptions = {
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: masked },
    hooks: { streamWrite: boundedLine },
    serializers: { err: errorForLog, msg: maskString },
    // pino omits undefined fields.
    mixin: () => {
      const { requestId, traceId } = requestContext.getStore() ?? {}
      return { requestId, traceId }
    },
  }
  return destination ? pino(options, destination) : pino(options)
}

/** Masks the strings of an event's fields. An error is masked by `errorForLog`. */
function masked(fields: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    // The mixin has undefined fields outside of a request.
    if (value === undefined) continue
    if (name === 'requestId' && typeof value === 'string') result[name] = maskRequestId(value)
    else result[name] = Array.isArray(value) ? value.map(maskString) : maskString(value)
  }
  return result
}

function maskString(value: unknown): unknown {
  return typeof value === 'string' ? mask(value) : value
}

/** A cause of a cause explains little more, and errors may be each other's causes. */
const MAX_CAUSES = 3

/** Masks an error, and omits values of rows and requests (PostgreSQL's `detail`, Axios' `config`). */
export function errorForLog(error: unknown, causes = MAX_CAUSES): object {
  if (!(error instanceof Error)) return { type: typeof error, message: mask(String(error)) }
  const { name, message, stack, cause } = error
  const { code, constraint } = error as { code?: unknown; constraint?: unknown }
  return {
    type: name,
    message: mask(message),
    code,
    constraint,
    stack: stack && mask(stack),
    cause: cause === undefined || causes === 0 ? undefined : errorForLog(cause, causes - 1),
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

import type { LoggerService } from '@nestjs/common'
import { type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from '../config/variables.js'
import { mask } from './mask.js'
import { currentRequestContext } from './request-context.js'

export type { Logger } from 'pino'

/** Logs one JSON line an event to standard output: level, time, service, msg and the event's fields. */
export function createLogger(service: string, level: LogLevel): Logger {
  return pino({
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: errorForLog },
    mixin: requestForLog,
  })
}

function requestForLog() {
  const context = currentRequestContext()
  if (!context) return {}
  const { requestId, traceId } = context
  return { requestId: mask(requestId), ...(traceId === undefined ? {} : { traceId }) }
}

interface LoggedError {
  type: string
  message: string
  code?: unknown
  constraint?: unknown
  stack?: string
  cause?: LoggedError
}

/**
 * The loggable part of an error. It leaves out properties with values of a row or a request (PostgreSQL's
 * `detail` and `where`, Axios' `config`) and masks the messages.
 */
export function errorForLog(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: mask(String(error)) }
  const { code, constraint } = error as { code?: unknown; constraint?: unknown }
  return {
    type: error.name,
    message: mask(error.message),
    ...(code === undefined ? {} : { code }),
    ...(constraint === undefined ? {} : { constraint }),
    ...(error.stack === undefined ? {} : { stack: mask(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: errorForLog(error.cause) }),
  }
}

/** Nest's own log lines, through the same logger. */
export class NestLogger implements LoggerService {
  constructor(private readonly pino: Logger) {}

  log(message: unknown, context?: unknown) {
    // Nest logs each module and route that it maps: of use only to debug a start.
    this.write('debug', message, context)
  }
  error(message: unknown, ...rest: unknown[]) {
    this.write('error', message, rest.at(-1), rest.length > 1 ? rest[0] : undefined)
  }
  warn(message: unknown, context?: unknown) {
    this.write('warn', message, context)
  }
  debug(message: unknown, context?: unknown) {
    this.write('debug', message, context)
  }
  fatal(message: unknown, context?: unknown) {
    this.write('fatal', message, context)
  }

  private write(
    level: Exclude<LogLevel, 'silent'>,
    message: unknown,
    context: unknown,
    stack?: unknown,
  ) {
    const fields = {
      ...(typeof context === 'string' ? { context } : {}),
      ...(typeof stack === 'string' ? { stack: mask(stack) } : {}),
    }
    if (message instanceof Error) this.pino[level]({ ...fields, err: message }, message.name)
    else this.pino[level](fields, mask(String(message)))
  }
}

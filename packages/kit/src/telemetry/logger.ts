import type { LoggerService } from '@nestjs/common'
import { type Logger, pino, stdTimeFunctions } from 'pino'
import { mask } from './mask.js'
import { currentRequestContext } from './request-context.js'

export type { Logger } from 'pino'

/** The levels that `LOG_LEVEL` may have. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** One JSON line an event on standard output: level, time, service, msg and what belongs to it. */
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

/** Which request a line is of, when it is written for one. */
function requestForLog() {
  const scope = currentRequestContext()
  if (!scope) return {}
  const { requestId, traceId } = scope
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
 * An error as it may be logged: no property that holds values of a row or of a request (PostgreSQL's
 * `detail` and `where`, Axios' `config`), and the texts masked.
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

/** Lets Nest's own lines go through the same logger. */
export class NestLogger implements LoggerService {
  constructor(private readonly pino: Logger) {}

  log(message: unknown, context?: unknown) {
    // Nest tells each module and route as it maps them: of use to who debugs a start only.
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

import { type Redis as Client, ReplyError } from 'ioredis'
import type { Logger } from '../telemetry/logger.js'

/** Bounds the memory of an outage whose messages differ each time. */
const MAX_CAUSES = 20

/** The commands of ioredis for a new connection: a rejection that matters is an error of the connection. */
const HANDSHAKE = new Set(['hello', 'auth', 'select', 'client'])

/**
 * Logs each cause of a failure once: ioredis emits an error for every reconnect, and the same command may be
 * rejected for every request. Repetitions are logged at `debug`.
 */
export class FailureLog {
  private readonly outages = new Set<string>()
  private readonly rejections = new Set<string>()

  constructor(private readonly log: Logger) {}

  /** Watches the connection attempts of a client, and what Redis answers to its commands. */
  watch(client: Client) {
    client.on('error', (error: Error) => this.onOutage(error))
    client.on('sentinelError', (error: Error) => {
      this.log.debug({ err: error }, 'a Sentinel is unavailable')
    })
    client.on('ready', () => this.outages.clear())
    const send = client.sendCommand.bind(client)
    client.sendCommand = (command, stream) => {
      command.promise.catch((error: unknown) => this.onRejection(command.name, error))
      return send(command, stream)
    }
  }

  private onOutage(error: Error) {
    // Emitted at the end of the list of Sentinels, although the previous one has named a Redis.
    if (
      /^All sentinels are unreachable\. Retrying from scratch after \d+ms\.$/.test(error.message)
    ) {
      this.log.debug({ err: error }, 'Redis is unavailable')
      return
    }
    this.logOnce(this.outages, causeOf(error), error, 'Redis is unavailable')
  }

  private onRejection(command: string, error: unknown) {
    if (!(error instanceof ReplyError) || HANDSHAKE.has(command)) return
    const cause = `${command} ${causeOf(error as Error)}`
    this.logOnce(this.rejections, cause, error, 'Redis rejected a command')
  }

  private logOnce(logged: Set<string>, cause: string, error: unknown, message: string) {
    const isNew = !logged.has(cause) && logged.size < MAX_CAUSES
    if (isNew) logged.add(cause)
    this.log[isNew ? 'warn' : 'debug']({ err: error }, message)
  }
}

/** The message without the pause before the next attempt, which grows. */
function causeOf({ message }: Error): string {
  return message.replace(/\d+ms/, '')
}

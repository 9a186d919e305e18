import { type Redis as Client, ReplyError } from 'ioredis'
import type { Logger } from '../telemetry/logger.js'
import { problemOf } from './redis-problem.js'

/** The commands of ioredis for a new connection: a rejection that matters is an error of the connection. */
const HANDSHAKE = new Set(['hello', 'auth', 'select', 'client'])

/** Replies that follow from another error, or that ioredis handles. */
const FOLLOWING = /^(?:EXECABORT |NOSCRIPT |ERR EXEC without MULTI)/

/** If the rights of the user change, several commands are refused. The first is logged. */
const QUIET_MS = 60_000

/** Bounds the memory of errors whose messages differ each time. */
const MAX_LOGGED = 20

/**
 * Watches the error replies to commands. One that concerns a command alone, such as `NOPERM`, is logged once;
 * repetitions, and missing rights that the log explains, are logged at `debug`. Any other says that the server
 * can't be used: `onFailure` is called.
 */
export class RefusedCommands {
  private readonly logged = new Set<string>()
  private quietUntil = 0

  constructor(
    private readonly log: Logger,
    private readonly onFailure: (error: Error) => void,
    /** Whether the log says that the user may not run a command. */
    private readonly isExplained: (command: string) => Promise<boolean> = async () => false,
  ) {}

  watch(client: Client): void {
    const send = client.sendCommand.bind(client)
    client.sendCommand = (command, stream) => {
      command.promise.catch((error: unknown) => this.onError(command.name, error))
      return send(command, stream)
    }
  }

  private async onError(command: string, error: unknown): Promise<void> {
    if (!(error instanceof ReplyError) || HANDSHAKE.has(command)) return
    const reply = error as Error
    if (FOLLOWING.test(reply.message)) return
    const problem = problemOf(reply)
    if (problem !== 'missing right' && problem !== 'refusing') return this.onFailure(reply)
    const isExplained = problem === 'missing right' && (await this.isExplained(command))
    const level = !isExplained && this.isNews(command, reply) ? 'warn' : 'debug'
    this.log[level]({ err: error }, 'Redis rejected a command')
  }

  private isNews(command: string, reply: Error): boolean {
    const cause = `${command} ${reply.message}`
    const now = performance.now()
    if (now < this.quietUntil || this.logged.has(cause) || this.logged.size >= MAX_LOGGED)
      return false
    this.logged.add(cause)
    this.quietUntil = now + QUIET_MS
    return true
  }
}

import type { Redis as Client } from 'ioredis'
import type { Logger } from '../telemetry/logger.js'
import { fieldOf } from './primary.js'
import { missingRights, type RedisAccess, type RedisNeed } from './redis-access.js'

/** The pause before the rights of a user who lacks some are checked again, ms; it doubles each time. */
const PAUSE_MS = { min: 2_000, max: 60_000 }

/**
 * Checks, when Redis is first reached, whether the user has the rights that the service needs, and how the server
 * is configured. Logs what does not work. The rights are checked again after a command was refused, and until none is
 * missing.
 */
export class RedisCheck {
  /** The commands that the user may not run; undefined until they are known. */
  private refused: ReadonlySet<string> | undefined
  private running: Promise<void> | undefined
  private pauseMs = PAUSE_MS.min
  private timer: NodeJS.Timeout | undefined
  private isClosed = false
  /** Until when, by `performance.now()`, a command that a check did not name causes no other check. */
  private readonly unexplainedUntil = new Map<string, number>()

  constructor(
    private readonly log: Logger,
    private readonly access: RedisAccess,
    private readonly newClient: () => Client | undefined,
  ) {}

  get hasMissingRights(): boolean {
    return this.refused !== undefined && this.refused.size > 0
  }

  /** Called for each new connection: does nothing after the first success. */
  async start(): Promise<void> {
    if (!this.refused) await this.run()
  }

  /** Whether the log says that the user may not run a refused command. Checks the rights again if needed. */
  async explains(command: string): Promise<boolean> {
    if (!this.refused || this.refused.has(command)) return true
    if (performance.now() < (this.unexplainedUntil.get(command) ?? 0)) return false
    await this.run()
    if (this.refused.has(command)) return true
    this.unexplainedUntil.set(command, performance.now() + PAUSE_MS.max)
    return false
  }

  close() {
    this.isClosed = true
    clearTimeout(this.timer)
  }

  private async run(): Promise<void> {
    this.running ??= this.check().finally(() => (this.running = undefined))
    await this.running
  }

  private async check(): Promise<void> {
    // A separate connection, since a subscription and a transaction change the state of their connection.
    const client = this.isClosed ? undefined : this.newClient()
    if (!client) return
    clearTimeout(this.timer)
    client.on('error', () => undefined)
    Object.assign(client.options, { retryStrategy: null, sentinelRetryStrategy: null })
    try {
      await client.connect()
      if (!this.refused) await this.checkServer(client)
      this.report(await missingRights(client, this.access))
    } catch (err) {
      this.log.debug({ err }, 'the check of Redis failed')
    } finally {
      client.disconnect()
    }
    if (this.hasMissingRights && !this.isClosed) this.repeat()
  }

  private repeat() {
    this.timer = setTimeout(() => void this.run(), this.pauseMs).unref()
    this.pauseMs = Math.min(2 * this.pauseMs, PAUSE_MS.max)
  }

  /** Logs rights that are missing since the last check, or that none is missing anymore. */
  private report(missing: readonly RedisNeed[]) {
    const before = this.refused ?? new Set()
    this.refused = new Set(missing.map(({ command: [name] }) => name))
    if (missing.some(({ command: [name] }) => !before.has(name))) {
      this.pauseMs = PAUSE_MS.min
      const commands = missing.map(({ command: [name, on] }) =>
        on === undefined ? name.toUpperCase() : `${name.toUpperCase()} ${on}`,
      )
      const effects = new Set(missing.map(({ without }) => without))
      const without = [...effects].join('; ')
      this.log.warn(
        `the Redis user may not run ${commands.join(', ')}: ${without} (see docs/configuration.md)`,
      )
    } else if (missing.length === 0 && before.size > 0) {
      this.log.info('the Redis user may run every command again')
    }
  }

  private async checkServer(client: Client): Promise<void> {
    const [memory, cluster] = [await infoOf(client, 'memory'), await infoOf(client, 'cluster')]
    if (fieldOf(cluster, 'cluster_enabled') === '1') {
      this.log.warn(
        'Redis runs in cluster mode, which is not supported: use Sentinels or one server',
      )
    }
    this.checkPolicy(memory)
  }

  private checkPolicy(memory: string | undefined): void {
    const policy = fieldOf(memory, 'maxmemory_policy')
    if (policy === undefined || fieldOf(memory, 'maxmemory') === '0') return
    if (policy === 'noeviction') {
      this.log.warn(`maxmemory-policy is noeviction: when Redis is full, ${this.access.whenFull}`)
    } else {
      const effect = 'when Redis is full, evicted tokens are validated by auth again'
      this.log.info(`maxmemory-policy is ${policy}: ${effect}`)
    }
  }
}

/** A section of INFO; undefined if the user may not run it. */
async function infoOf(client: Client, section: string): Promise<string | undefined> {
  return client.info(section).catch(() => undefined)
}

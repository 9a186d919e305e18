import type { Redis as Client } from 'ioredis'
import type { Logger } from '../telemetry/logger.js'
import { fieldOf } from './primary.js'
import { missingRights, type RedisAccess } from './redis-access.js'

/**
 * Checks once, when Redis is first reached, whether the user has the rights that the service needs, and how the
 * server is configured. Logs what will not work.
 */
export class StartCheck {
  /** The commands that the user may not run; undefined until they are known. */
  private refused: ReadonlySet<string> | undefined
  private isRunning = false

  constructor(
    private readonly log: Logger,
    private readonly access: RedisAccess,
    private readonly newClient: () => Client | undefined,
  ) {}

  get hasMissingRights(): boolean {
    return this.refused !== undefined && this.refused.size > 0
  }

  /** Whether this check logs, or has logged, that the user may not run a command. */
  covers(command: string): boolean {
    return this.refused?.has(command) ?? true
  }

  /** Does nothing after the first success. */
  async run(): Promise<void> {
    if (this.refused || this.isRunning) return
    // A separate connection, since a subscription and a transaction change the state of their connection.
    const client = this.newClient()
    if (!client) return
    this.isRunning = true
    client.on('error', () => undefined)
    Object.assign(client.options, { retryStrategy: null, sentinelRetryStrategy: null })
    try {
      await client.connect()
      await this.check(client)
    } catch (err) {
      this.log.debug({ err }, 'the check of Redis failed, and is repeated with the next connection')
    } finally {
      client.disconnect()
      this.isRunning = false
    }
  }

  private async check(client: Client): Promise<void> {
    const [memory, cluster] = [await infoOf(client, 'memory'), await infoOf(client, 'cluster')]
    const missing = await missingRights(client, this.access)
    this.refused = new Set(missing.map(({ command: [name] }) => name))
    if (missing.length > 0) {
      const commands = missing.map(({ command: [name, on] }) =>
        on === undefined ? name.toUpperCase() : `${name.toUpperCase()} ${on}`,
      )
      const effects = new Set(missing.map(({ without }) => without))
      const without = [...effects].join('; ')
      this.log.warn(
        `the Redis user may not run ${commands.join(', ')}: ${without} (see docs/configuration.md)`,
      )
    }
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

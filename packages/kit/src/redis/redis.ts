import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common'
import type { Redis as Client } from 'ioredis'
import type { RedisEnv } from '../config/variables.js'
import type { Logger } from '../telemetry/logger.js'
import { withSpan } from '../telemetry/tracing.js'
import { DatasetIdentity } from './dataset-identity.js'
import { connect } from './redis-connection.js'
import { subscribeTo, type Subscription } from './subscription.js'

/** A later response is of no use to a request that can read the source instead. */
const COMMAND_TIMEOUT_MS = 250

/** A value that expires after `ttlMs` milliseconds, and the message that announces it. */
export interface Publication {
  readonly key: string
  readonly value: string
  readonly ttlMs: number
  readonly message: string
}

/** Values read at one moment of Redis' clock. */
export interface TimedValues {
  /** Milliseconds since the epoch. */
  readonly nowMs: number
  /** In the order of the keys; null for a missing key. */
  readonly values: readonly (string | null)[]
}

/**
 * A Redis whose failure is a value: while it is down, slow or not configured, each command resolves to `undefined`.
 * Commands never throw and never wait for long. Redis holds only copies of what a database stores.
 */
export class Redis implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly client: Client | undefined
  private readonly identity: DatasetIdentity | undefined
  private readonly subscribers: Client[] = []
  private wasUp = false

  constructor(
    private readonly env: RedisEnv,
    private readonly log: Logger,
    /** Longer for commands whose callers have no alternative source. */
    private readonly commandTimeoutMs = COMMAND_TIMEOUT_MS,
  ) {
    this.client = connect(env, commandTimeoutMs)
    if (!this.client) return
    this.identity = new DatasetIdentity(this.client)
    this.client.on('ready', () => {
      this.wasUp = true
      log.info('Redis is connected')
    })
    // ioredis emits an error for every failed reconnect: only the first one is logged as a warning.
    this.client.on('error', (error: Error) => {
      log[this.wasUp ? 'warn' : 'debug']({ err: error }, 'Redis is unavailable')
      this.wasUp = false
    })
  }

  onApplicationBootstrap() {
    if (!this.client) {
      this.log.warn('no Redis is configured: nothing is cached')
      return
    }
    this.client.connect().catch((error: unknown) => {
      this.log.warn({ err: error }, 'Redis is unavailable: nothing is cached until it is connected')
    })
    // The main connection already logs that Redis is unavailable.
    for (const subscriber of this.subscribers) subscriber.connect().catch(() => undefined)
  }

  onApplicationShutdown() {
    this.client?.disconnect()
    for (const subscriber of this.subscribers) subscriber.disconnect()
  }

  get isConfigured(): boolean {
    return this.client !== undefined
  }

  get isUp(): boolean {
    return this.client?.status === 'ready'
  }

  /** For libraries that send their own commands; undefined if no Redis is configured. */
  get raw(): Client | undefined {
    return this.client
  }

  /** The name of the data set behind the connection; see `DatasetIdentity`. Undefined while unknown. */
  get dataset(): string | undefined {
    return this.identity?.current
  }

  /** Reads values, and the time of the read, in one round trip. */
  async read(keys: readonly string[]): Promise<TimedValues | undefined> {
    return this.attempt('MGET', async (client) => {
      const results = await client
        .pipeline()
        .time()
        .mget(...keys)
        .exec()
      const [[, time] = [], [error, values] = []] = results ?? []
      if (error) throw error
      const [seconds, microseconds] = time as [string, string]
      const nowMs = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
      return { nowMs, values: values as (string | null)[] }
    })
  }

  async set(key: string, value: string, ttlMs: number): Promise<'OK' | undefined> {
    return this.attempt('SET', (client) => client.set(key, value, 'PX', wholeMs(ttlMs)))
  }

  /** Sets a value if the key does not exist; null if it does. */
  async setOnce(key: string, value: string, ttlMs: number): Promise<'OK' | null | undefined> {
    return this.attempt('SET', (client) => client.set(key, value, 'PX', wholeMs(ttlMs), 'NX'))
  }

  /**
   * Sets values and publishes their messages in one transaction, so that a subscriber that receives a message finds
   * its value. `undefined` means in doubt: the transaction may have been executed.
   */
  async setAndPublish(
    channel: string,
    publications: readonly Publication[],
  ): Promise<'OK' | undefined> {
    return this.attempt('MULTI', async (client) => {
      const transaction = client.multi()
      for (const { key, value, ttlMs, message } of publications) {
        transaction.set(key, value, 'PX', wholeMs(ttlMs)).publish(channel, message)
      }
      for (const [error] of (await transaction.exec()) ?? []) if (error) throw error
      return 'OK' as const
    })
  }

  /**
   * Subscribes to a channel over a connection of its own. Messages are lost while the subscription is not live, and
   * on a connection that broke silently. Call it before the app starts.
   *
   * @param onLoss called when the subscription ceases to be live
   */
  subscribe(
    channel: string,
    onMessage: (message: string) => void,
    onLoss: () => void,
  ): Subscription {
    const subscriber = connect(this.env, this.commandTimeoutMs)
    if (!subscriber) return { isLive: false }
    this.subscribers.push(subscriber)
    return subscribeTo(channel, subscriber, { onMessage, onLoss })
  }

  /** A round trip, for health checks. */
  async ping(): Promise<void> {
    await this.client?.ping()
  }

  private async attempt<T>(
    name: string,
    command: (client: Client) => Promise<T>,
  ): Promise<T | undefined> {
    const { client } = this
    if (client?.status !== 'ready') return undefined
    try {
      return await withSpan(
        () => commandSpan(name, client),
        () => command(client),
      )
    } catch (error) {
      this.log.debug({ err: error }, 'a Redis command failed')
      return undefined
    }
  }
}

/** A span names the command, never its keys. */
function commandSpan(name: string, { options: { host, port } }: Client) {
  return {
    name,
    attributes: {
      'db.system.name': 'redis',
      'db.operation.name': name,
      ...(host === undefined ? {} : { 'server.address': host }),
      ...(port === undefined ? {} : { 'server.port': port }),
    },
  }
}

/** Redis accepts whole milliseconds, at least one. */
function wholeMs(ttlMs: number): number {
  return Math.max(1, Math.floor(ttlMs))
}

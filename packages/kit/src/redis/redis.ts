import { randomUUID } from 'node:crypto'
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common'
import { type Redis as Client, ReplyError } from 'ioredis'
import type { RedisEnv } from '../config/variables.js'
import type { Logger } from '../telemetry/logger.js'
import { withSpan } from '../telemetry/tracing.js'
import { FailureLog } from './failure-log.js'
import { connect } from './redis-connection.js'

/** A value that expires, and the message that announces it. */
export interface Publication {
  readonly key: string
  readonly value: string
  readonly ttlMs: number
  readonly message: string
}

/** Values, with the time by Redis' clock at which they were read, and the data set that they belong to. */
export interface TimedValues {
  readonly nowMs: number
  /** In the order of the keys; null for a missing key. */
  readonly values: readonly (string | null)[]
  /**
   * The server's `run_id` and its `master_replid`, which change with a restart, a failover or `REPLICAOF`:
   * the last writes may then be missing. Undefined unless the server is a primary and permits INFO.
   */
  readonly dataset: string | undefined
}

/**
 * A Redis client whose reads and writes never throw: while Redis is down, slow or not configured, they
 * resolve to `undefined`. Redis holds only copies of data that a database stores.
 */
export class Redis implements OnApplicationBootstrap, OnApplicationShutdown {
  /** The underlying client, for libraries that send their own commands; undefined if none is configured. */
  readonly raw: Client | undefined
  private readonly subscribers: Client[] = []
  private readonly failures: FailureLog
  /**
   * Identifies Redis' data by the server's `run_id` and `master_replid`; undefined while unknown. The value
   * changes when the server restarts or a replica is promoted, because the last writes may then be missing.
   * It is random for each connection if the Redis user may not run INFO.
   */
  dataset: string | undefined
  private runId: string | undefined

  constructor(
    private readonly env: RedisEnv,
    private readonly log: Logger,
    /** Short by default, because a request can read the data from its source instead. */
    private readonly commandTimeoutMs = 250,
  ) {
    this.failures = new FailureLog(log)
    this.raw = connect(env, commandTimeoutMs)
    if (!this.raw) return
    this.failures.watch(this.raw)
    this.raw.on('ready', () => {
      void this.loadDataset()
      log.info('Redis is connected')
    })
    this.raw.on('close', () => {
      this.dataset = undefined
      this.runId = undefined
    })
  }

  onApplicationBootstrap() {
    if (!this.raw) {
      this.log.warn('no Redis is configured: nothing is cached')
      return
    }
    // The clients reconnect, and log why they can't.
    for (const client of [this.raw, ...this.subscribers]) client.connect().catch(() => undefined)
  }

  onApplicationShutdown() {
    this.raw?.disconnect()
    for (const subscriber of this.subscribers) subscriber.disconnect()
  }

  get isConfigured(): boolean {
    return this.raw !== undefined
  }

  get isUp(): boolean {
    return this.raw?.status === 'ready'
  }

  /**
   * Reads values, the time before and the data set after them, in one round trip. So values of a data set that
   * was replaced before the read never appear with its former identity.
   */
  async read(keys: readonly string[]): Promise<TimedValues | undefined> {
    return this.attempt('MGET', async (client) => {
      // One server process answers a connection, so its `run_id` need not be read again.
      const { runId } = this
      const pipeline = client.pipeline().time()
      const results = await pipeline
        .mget(...keys)
        .info('replication')
        .exec()
      const [[timeError, time] = [], [error, values] = [], [, info] = []] = results ?? []
      if (timeError ?? error) throw timeError ?? error
      const [seconds, microseconds] = time as [string, string]
      const nowMs = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
      return { nowMs, values: values as (string | null)[], dataset: datasetOf(runId, info) }
    })
  }

  async set(key: string, value: string, ttlMs: number): Promise<'OK' | undefined> {
    return this.attempt('SET', (client) => client.set(key, value, 'PX', wholeMs(ttlMs)))
  }

  /** Sets a value if the key does not exist; resolves to null if it does. */
  async setOnce(key: string, value: string, ttlMs: number): Promise<'OK' | null | undefined> {
    return this.attempt('SET', (client) => client.set(key, value, 'PX', wholeMs(ttlMs), 'NX'))
  }

  /** Sets the time until a key expires; resolves to 0 if there is no such key. */
  async extend(key: string, ttlMs: number): Promise<number | undefined> {
    return this.attempt('PEXPIRE', (client) => client.pexpire(key, wholeMs(ttlMs)))
  }

  /** Deletes keys, and resolves to the number of those that existed. */
  async delete(keys: readonly string[]): Promise<number | undefined> {
    return this.attempt('DEL', (client) => client.del(...keys))
  }

  /**
   * Sets values and publishes their messages in one transaction, so that a subscriber finds each message's
   * value. If this resolves to `undefined`, the transaction may or may not have been executed.
   */
  async setAndPublish(channel: string, publications: readonly Publication[]) {
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
   * Subscribes to a channel over a separate connection; call it before the app starts. Messages are lost
   * while `isLive` is false, and while a broken connection has not been detected. `onLoss` is called when the
   * connection closes.
   */
  subscribe(
    channel: string,
    onMessage: (message: string) => void,
    onLoss: () => void,
  ): { readonly isLive: boolean } {
    const subscriber = connect(this.env, this.commandTimeoutMs)
    if (!subscriber) return { isLive: false }
    this.subscribers.push(subscriber)
    const subscription = { isLive: false }
    subscriber.options.autoResubscribe = false
    this.failures.watch(subscriber)
    subscriber.on('message', (_, message: string) => onMessage(message))
    subscriber.on('ready', () => {
      subscriber.subscribe(channel).then(
        () => (subscription.isLive = subscriber.status === 'ready'),
        // The `ready` event of the reconnect subscribes again.
        () => subscriber.disconnect(true),
      )
    })
    subscriber.on('close', () => {
      subscription.isLive = false
      onLoss()
    })
    return subscription
  }

  async ping(): Promise<void> {
    await this.raw?.ping()
  }

  private async loadDataset(): Promise<void> {
    const { raw: client } = this
    if (client?.status !== 'ready') return
    try {
      const info = await client.info()
      this.runId = /^run_id:(\w+)/m.exec(info)?.[1]
      const replicationId = /^master_replid:(\w+)/m.exec(info)?.[1]
      this.dataset = this.runId && replicationId ? `${this.runId}:${replicationId}` : randomUUID()
    } catch (error) {
      if (error instanceof ReplyError) this.dataset = randomUUID()
      else setTimeout(() => void this.loadDataset(), 500).unref()
    }
  }

  private async attempt<T>(
    name: string,
    command: (client: Client) => Promise<T>,
  ): Promise<T | undefined> {
    const { raw: client } = this
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

/** @param info Redis' reply to `INFO replication`; undefined if it was an error */
function datasetOf(runId: string | undefined, info: unknown): string | undefined {
  if (runId === undefined || typeof info !== 'string' || !/^role:master\r?$/m.test(info))
    return undefined
  const replicationId = /^master_replid:(\w+)/m.exec(info)?.[1]
  return replicationId && `${runId}:${replicationId}`
}

/** A span contains the command's name, but never its keys. */
function commandSpan(name: string, { options: { host, port } }: Client) {
  return {
    name,
    attributes: {
      'db.system.name': 'redis',
      'db.operation.name': name,
      'server.address': host,
      'server.port': port,
    },
  }
}

/** Redis accepts expiry times only in whole milliseconds, of at least one. */
function wholeMs(ttlMs: number): number {
  return Math.max(1, Math.floor(ttlMs))
}

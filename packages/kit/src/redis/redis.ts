import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common'
import type { Redis as Client } from 'ioredis'
import type { RedisEnv } from '../config/variables.js'
import type { Logger } from '../telemetry/logger.js'
import { timeLeftMs } from '../telemetry/request-context.js'
import { withSpan } from '../telemetry/tracing.js'
import { withTimeout } from '../worker/with-timeout.js'
import { datasetOf, Primary } from './primary.js'
import type { RedisAccess } from './redis-access.js'
import { COMMAND_TIMEOUT_MS, connect } from './redis-connection.js'
import { RedisCheck } from './redis-check.js'
import { RedisCondition } from './redis-condition.js'
import { isReplica, type RedisProblem } from './redis-problem.js'
import { RefusedCommands } from './refused-commands.js'
import { Subscription } from './subscription.js'

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
  private readonly primary: Primary | undefined
  private readonly clients: Client[] = []
  private readonly subscriptions: Subscription[] = []
  private readonly datasetListeners: (() => void)[] = []
  private readonly refusals: RefusedCommands
  private readonly check: RedisCheck | undefined
  private readonly condition: RedisCondition

  constructor(
    private readonly env: RedisEnv,
    private readonly log: Logger,
    /** Short by default, because a request can read the data from its source instead. */
    private readonly waitMs = 250,
    access?: RedisAccess,
  ) {
    this.condition = new RedisCondition(log)
    const check = access && new RedisCheck(log, access, () => connect(env))
    this.check = check
    this.refusals = new RefusedCommands(
      log,
      (error) => this.fail(error),
      check && ((command) => check.explains(command)),
    )
    this.raw = this.newClient()
    if (!this.raw) return
    this.primary = new Primary(this.raw, {
      onDataset: () => this.announceDataset(),
      onFailure: (error) => this.fail(error),
      onBeat: () => this.condition.recover(),
    })
  }

  onApplicationBootstrap() {
    if (!this.raw) {
      this.log.warn('no Redis is configured: nothing is cached')
      return
    }
    // The clients reconnect, and log why they can't.
    for (const client of this.clients) client.connect().catch(() => undefined)
  }

  onApplicationShutdown() {
    this.check?.close()
    for (const client of this.clients) client.disconnect()
  }

  get isConfigured(): boolean {
    return this.raw !== undefined
  }

  /** Whether commands can be sent to the primary. */
  get isUp(): boolean {
    return this.primary?.isUp ?? false
  }

  /** Why Redis can't be used, or is slow or full; undefined if it is well. */
  get problem(): RedisProblem | undefined {
    if (!this.isConfigured) return undefined
    if (!this.isUp) return this.condition.problem ?? 'unreachable'
    if (this.condition.isImpaired) return this.condition.problem
    return this.check?.hasMissingRights ? 'missing right' : undefined
  }

  /** Keys that the server has evicted since its start; undefined while unknown. */
  get evictedKeys(): number | undefined {
    return this.primary?.evictedKeys
  }

  /** Calls `listener` after each connection and each change of the data set: the last writes may be missing. */
  onDataset(listener: () => void): void {
    this.datasetListeners.push(listener)
  }

  /**
   * Reads values, the time before and the data set after them, in one round trip. So values of a data set that
   * was replaced before the read never appear with its former identity.
   */
  async read(keys: readonly string[]): Promise<TimedValues | undefined> {
    return this.attempt('MGET', async (client) => {
      // One server process answers a connection, so its `run_id` need not be read again.
      const runId = this.primary?.runId
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
   * value. A connection that breaks is waited for, up to 2 s in all; an outage that has lasted as long is not.
   * If this resolves to `undefined`, the transaction may or may not have been executed.
   */
  async setAndPublish(channel: string, publications: readonly Publication[]) {
    const deadline = performance.now() + Math.min(COMMAND_TIMEOUT_MS, timeLeftMs(Infinity))
    const publish = async (client: Client) => {
      const transaction = client.multi()
      for (const { key, value, ttlMs, message } of publications) {
        transaction.set(key, value, 'PX', wholeMs(ttlMs)).publish(channel, message)
      }
      for (const [error] of (await transaction.exec()) ?? []) if (error) throw error
      return 'OK' as const
    }
    let acknowledgement: 'OK' | undefined
    do {
      acknowledgement = await this.attempt('MULTI', publish, deadline - performance.now())
    } while (!acknowledgement && !this.isUp && (await this.reconnected(deadline)))
    return acknowledgement
  }

  /**
   * Subscribes to a channel over a separate connection; call it before the app starts. Messages are lost
   * while `isLive` is false, and for up to 2.5 s on a connection that died silently. `onLoss` is called when
   * the connection closes and when the data set changes.
   */
  subscribe(
    channel: string,
    onMessage: (message: string) => void,
    onLoss: () => void,
  ): { readonly isLive: boolean } {
    const client = this.newClient()
    if (!client) return { isLive: false }
    const subscription = new Subscription(client, channel, { onMessage, onLoss })
    this.subscriptions.push(subscription)
    return subscription
  }

  private newClient(): Client | undefined {
    const client = connect(this.env)
    if (!client) return undefined
    this.clients.push(client)
    this.condition.watch(client)
    this.refusals.watch(client)
    return client
  }

  private announceDataset(): void {
    for (const { subscriber } of this.subscriptions) subscriber.onLoss()
    for (const listener of this.datasetListeners) listener()
    void this.check?.start()
  }

  private fail(error: Error): void {
    this.condition.fail(error)
    if (!isReplica(error)) return
    // The address may lead to another server by now, which is the primary.
    for (const client of this.clients) if (client.status === 'ready') client.disconnect(true)
  }

  /** Waits for a connection until the deadline, but not once the outage has lasted for 2 s. */
  private async reconnected(deadline: number): Promise<boolean> {
    const { primary } = this
    if (!primary) return false
    return primary.untilUp(Math.min(deadline, primary.downSince + COMMAND_TIMEOUT_MS))
  }

  private async attempt<T>(
    name: string,
    command: (client: Client) => Promise<T>,
    limitMs = this.waitMs,
  ): Promise<T | undefined> {
    const { raw: client } = this
    if (!client || !this.isUp) return undefined
    try {
      return await withSpan(
        () => commandSpan(name, client),
        () => withTimeout(command(client), limitMs),
      )
    } catch (error) {
      this.log.debug({ err: error }, 'a Redis command failed')
      return undefined
    }
  }
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

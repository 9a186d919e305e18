import { readFileSync } from 'node:fs'
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common'
import { Redis as Client, type RedisOptions } from 'ioredis'
import { type RedisEnv, secret } from './env.js'
import type { Pino } from './logger.js'

/**
 * A Redis whose failure is a value: an operation gives `undefined` when it is down, slow or not
 * configured, and never throws or waits for long. What it holds is a copy of what a database knows.
 */

const CONNECT_TIMEOUT_MS = 2_000
/** A cache that answers later than this is of no use to a request that could have asked its source. */
const COMMAND_TIMEOUT_MS = 250
const RECONNECT_MS = { step: 50, most: 1_000 }

/** A value that lives for `ttlMs` milliseconds, and what is told when it is set. */
export interface News {
  readonly key: string
  readonly value: string
  readonly ttlMs: number
  readonly message: string
}

export class Redis implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly client: Client | undefined
  private wasUp = false

  constructor(
    env: RedisEnv,
    private readonly log: Pino,
  ) {
    this.client = connect(env)
    this.client?.on('ready', () => {
      this.wasUp = true
      log.info('redis is connected')
    })
    // ioredis tells every failed attempt to reconnect: one line for the loss is enough.
    this.client?.on('error', (error: Error) => {
      log[this.wasUp ? 'warn' : 'debug']({ err: error }, 'redis is away')
      this.wasUp = false
    })
  }

  onApplicationBootstrap() {
    if (!this.client) {
      this.log.warn('no Redis is configured: nothing is cached, its source is asked each time')
      return
    }
    this.client.connect().catch((error: unknown) => {
      this.log.warn({ err: error }, 'redis is away: nothing is cached until it is back')
    })
  }

  onApplicationShutdown() {
    this.client?.disconnect()
  }

  get isConfigured(): boolean {
    return this.client !== undefined
  }

  get isUp(): boolean {
    return this.client?.status === 'ready'
  }

  /** For libraries that bring their own commands; undefined when none is configured. */
  get raw(): Client | undefined {
    return this.client
  }

  /** The values of several keys in one round trip, null for a missing one; undefined without an answer. */
  async getAll(...keys: string[]): Promise<(string | null)[] | undefined> {
    return this.attempt((client) => client.mget(...keys))
  }

  /** Sets a value that lives for `ttlMs` milliseconds. */
  async set(key: string, value: string, ttlMs: number): Promise<'OK' | undefined> {
    return this.attempt((client) => client.set(key, value, 'PX', Math.max(1, Math.floor(ttlMs))))
  }

  /**
   * Sets values and tells who listens to `channel` of each, all or none, so that who hears of a value finds
   * it. Without an answer, which is `undefined`, it may have happened or not.
   */
  async setAndPublish(channel: string, news: readonly News[]): Promise<'OK' | undefined> {
    return this.attempt(async (client) => {
      const transaction = client.multi()
      for (const { key, value, ttlMs, message } of news) {
        transaction.set(key, value, 'PX', Math.max(1, Math.floor(ttlMs))).publish(channel, message)
      }
      for (const [error] of (await transaction.exec()) ?? []) if (error) throw error
      return 'OK' as const
    })
  }

  /** A round trip, for health checks. */
  async ping(): Promise<void> {
    await this.client?.ping()
  }

  private async attempt<T>(command: (client: Client) => Promise<T>): Promise<T | undefined> {
    if (this.client?.status !== 'ready') return undefined
    try {
      return await command(this.client)
    } catch (error) {
      this.log.debug({ err: error }, 'redis did not answer')
      return undefined
    }
  }
}

function connect(env: RedisEnv): Client | undefined {
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    // A command that waits for a connection, or is sent a second time, is a late one.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    ...(env.REDIS_CA_FILE ? { tls: { ca: readFileSync(env.REDIS_CA_FILE, 'utf8') } } : {}),
  }
  const client = create(env, options)
  if (!client) return undefined
  client.options.retryStrategy = (tries) => {
    const password = secret(env.REDIS_PASSWORD, env.REDIS_PASSWORD_FILE)
    if (password !== undefined) client.options.password = password
    return Math.min(tries * RECONNECT_MS.step, RECONNECT_MS.most)
  }
  return client
}

function create(env: RedisEnv, options: RedisOptions): Client | undefined {
  const password = secret(env.REDIS_PASSWORD, env.REDIS_PASSWORD_FILE)
  if (password !== undefined) options.password = password
  if (env.REDIS_SENTINELS.length > 0) {
    const sentinels = env.REDIS_SENTINELS.map((item) => {
      const [host, port = '26379'] = item.split(':')
      return { host, port: Number(port) }
    })
    return new Client({ ...options, sentinels, name: env.REDIS_SENTINEL_MASTER })
  }
  if (env.REDIS_URL) return new Client(env.REDIS_URL, options)
  if (env.REDIS_HOST) return new Client({ ...options, host: env.REDIS_HOST, port: env.REDIS_PORT })
  return undefined
}

import { randomUUID } from 'node:crypto'
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common'
import { type Redis as Client, ReplyError } from 'ioredis'
import type { RedisEnv } from '../config/env.js'
import type { Logger } from '../telemetry/logger.js'
import { connect } from './redis-connection.js'
import { withSpan } from '../telemetry/tracing.js'

/**
 * A Redis whose failure is a value: an operation gives `undefined` when it is down, slow or not
 * configured, and never throws or waits for long. What it holds is a copy of what a database knows.
 */

const ASK_AGAIN_MS = 500
/** A cache that answers later than this is of no use to a request that could have asked its source. */
const USUAL_ANSWER_MS = 250

/** A value that lives for `ttlMs` milliseconds, and what is told when it is set. */
export interface Publication {
  readonly key: string
  readonly value: string
  readonly ttlMs: number
  readonly message: string
}

/** Values as they were at one moment, and when that was by Redis' own clock, ms since the epoch. */
export interface TimedValues {
  readonly nowMs: number
  /** In the order of the keys, null for a missing one. */
  readonly values: readonly (string | null)[]
}

/** What is announced on a channel, and whether announcements arrive at all just now. */
export interface Subscription {
  readonly isLive: boolean
}

export class Redis implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly client: Client | undefined
  private readonly subscribers: Client[] = []
  private wasUp = false
  private known: string | undefined

  constructor(
    private readonly env: RedisEnv,
    private readonly log: Logger,
    /** How long an answer is waited for, where nobody waits for it that could ask elsewhere. */
    private readonly answerMs = USUAL_ANSWER_MS,
  ) {
    this.client = connect(env, answerMs)
    this.client?.on('ready', () => {
      this.wasUp = true
      void this.learnDataset()
      log.info('redis is connected')
    })
    this.client?.on('close', () => (this.known = undefined))
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
    // It says of itself when it is away: its own connection would only say the same again.
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

  /** For libraries that bring their own commands; undefined when none is configured. */
  get raw(): Client | undefined {
    return this.client
  }

  /**
   * The name of the data that this connection sees: another one after a restart, and another one after
   * a replica was promoted, for then what was written last may be missing, or older data be back. Where
   * Redis doesn't say who it is, each connection has a name of its own. Undefined while not known.
   */
  get dataset(): string | undefined {
    return this.known
  }

  /** Several values in one round trip; undefined without an answer. */
  async read(keys: readonly string[]): Promise<TimedValues | undefined> {
    return this.attempt('MGET', async (client) => {
      const answers = await client
        .pipeline()
        .time()
        .mget(...keys)
        .exec()
      const [[, time] = [], [error, values] = []] = answers ?? []
      if (error) throw error
      const [seconds, microseconds] = time as [string, string]
      const nowMs = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
      return { nowMs, values: values as (string | null)[] }
    })
  }

  /** Sets a value that lives for `ttlMs` milliseconds. */
  async set(key: string, value: string, ttlMs: number): Promise<'OK' | undefined> {
    return this.attempt('SET', (client) => client.set(key, value, 'PX', lifetime(ttlMs)))
  }

  /**
   * Sets values and tells who listens to `channel` of each, all or none, so that who hears of a value finds
   * it. Without an answer, which is `undefined`, it may have happened or not.
   */
  async setAndPublish(channel: string, news: readonly Publication[]): Promise<'OK' | undefined> {
    return this.attempt('MULTI', async (client) => {
      const transaction = client.multi()
      for (const { key, value, ttlMs, message } of news) {
        transaction.set(key, value, 'PX', lifetime(ttlMs)).publish(channel, message)
      }
      for (const [error] of (await transaction.exec()) ?? []) if (error) throw error
      return 'OK' as const
    })
  }

  /** Sets a value for `ttlMs` milliseconds unless there is one. */
  async setOnce(key: string, value: string, ttlMs: number): Promise<'OK' | null | undefined> {
    return this.attempt('SET', (client) => client.set(key, value, 'PX', lifetime(ttlMs), 'NX'))
  }

  /**
   * Hears what is published on a channel, over a connection of its own. Announcements may be lost: while
   * the subscription isn't live, and on a connection that broke without a word. Call it before the app
   * is started.
   *
   * @param onLoss called when it ceases to be live
   */
  subscribe(channel: string, onMessage: (text: string) => void, onLoss: () => void): Subscription {
    const subscription = { isLive: false }
    const subscriber = connect(this.env, this.answerMs)
    if (!subscriber) return subscription
    this.subscribers.push(subscriber)
    subscriber.options.autoResubscribe = false
    subscriber.on('error', () => undefined)
    subscriber.on('message', (_, text: string) => onMessage(text))
    subscriber.on('ready', () => {
      subscriber.subscribe(channel).then(
        () => (subscription.isLive = subscriber.status === 'ready'),
        // A new connection is a new try.
        () => subscriber.disconnect(true),
      )
    })
    subscriber.on('close', () => {
      subscription.isLive = false
      onLoss()
    })
    return subscription
  }

  /** A round trip, for health checks. */
  async ping(): Promise<void> {
    await this.client?.ping()
  }

  private async learnDataset(): Promise<void> {
    const told = await this.attempt('INFO', (client) => client.info().catch(refusal))
    if (told !== undefined) this.known = nameOf(told)
    else if (this.isUp) setTimeout(() => void this.learnDataset(), ASK_AGAIN_MS).unref()
  }

  private async attempt<T>(
    name: string,
    command: (client: Client) => Promise<T>,
  ): Promise<T | undefined> {
    const { client } = this
    if (client?.status !== 'ready') return undefined
    try {
      return await withSpan(
        () => doing(name, client),
        () => command(client),
      )
    } catch (error) {
      this.log.debug({ err: error }, 'redis did not answer')
      return undefined
    }
  }
}

/** A command as a trace tells it: by its name, never by its keys. */
function doing(name: string, { options: { host, port } }: Client) {
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

/** A time to live as Redis takes it: whole milliseconds, at least one. */
function lifetime(ttlMs: number): number {
  return Math.max(1, Math.floor(ttlMs))
}

/** An answer of Redis that is a no, such as to a user without the right to ask, and not an outage. */
function refusal(error: unknown): string {
  if (error instanceof ReplyError) return ''
  throw error
}

function nameOf(info: string): string {
  const run = /^run_id:(\w+)/m.exec(info)?.[1]
  const history = /^master_replid:(\w+)/m.exec(info)?.[1]
  return run && history ? `${run}:${history}` : randomUUID()
}

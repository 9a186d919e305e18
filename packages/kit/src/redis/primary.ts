import { type Redis as Client, ReplyError } from 'ioredis'
import { startHeartbeat } from './heartbeat.js'
import { problemOf, type RedisProblem, SlowReplies } from './redis-problem.js'

interface PrimaryEvents {
  /** A connection is ready, or its server has other data than before: the last writes may be missing. */
  readonly onDataset: () => void
  readonly onFailure: (error: Error) => void
  readonly onBeat: () => void
}

/** The problems of a whole server; others concern single commands, such as PING itself. */
const UNUSABLE = new Set<RedisProblem>(['loading', 'read-only', 'wrong password'])
/** How long a reply takes at most, unless Redis or the network is slow. */
const SLOW_MS = 100
/** How many heartbeats in a row are slow before Redis counts as slow. */
const SLOW_BEATS = 3
/** How often the statistics are read, in heartbeats. */
const STATISTICS_EVERY = 20

/** The server at the other end of the connection for commands: whether it is the primary, and its data set. */
export class Primary {
  /** The server process, which is the same for the whole of a connection. */
  runId: string | undefined
  /** Keys that the server has evicted since its start; undefined while unknown. */
  evictedKeys: number | undefined
  /** When the server was last usable, by `performance.now()`. */
  downSince = performance.now()
  private isPrimary = false
  /** Identifies the server's data; undefined if the user may not run INFO. */
  private dataset: string | undefined
  private beats = 0
  private slowBeats = 0
  private waiting: (() => void)[] = []

  constructor(
    private readonly client: Client,
    private readonly events: PrimaryEvents,
  ) {
    client.on('close', () => this.setDown())
    startHeartbeat(client, () => this.beat())
  }

  /** Whether commands can be sent. */
  get isUp(): boolean {
    return this.isPrimary && this.client.status === 'ready'
  }

  /** Resolves when commands can be sent, or at the deadline by `performance.now()`. */
  async untilUp(deadline: number): Promise<boolean> {
    if (!this.isUp && deadline > performance.now()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, deadline - performance.now())
      this.waiting.push(resolve)
      await promise
      clearTimeout(timer)
      this.waiting = this.waiting.filter((other) => other !== resolve)
    }
    return this.isUp
  }

  private async beat(): Promise<void> {
    const { client } = this
    const sentAt = performance.now()
    const pipeline = client.pipeline().ping().info('replication')
    const needsRunId = this.runId === undefined
    if (needsRunId) pipeline.info('server')
    const results = (await pipeline.exec()) ?? []
    if (client.status !== 'ready') return
    const [[refusal] = [], [, replication] = [], [, server] = []] = results
    if (refusal && !(refusal instanceof ReplyError)) return
    if (refusal && UNUSABLE.has(problemOf(refusal))) return this.reject(refusal)
    if (needsRunId) this.runId = fieldOf(server, 'run_id')
    const role = fieldOf(replication, 'role')
    if (role !== undefined && role !== 'master') {
      const primary = `${fieldOf(replication, 'master_host')}:${fieldOf(replication, 'master_port')}`
      return this.reject(new Error(`READONLY The server is a replica of ${primary}`))
    }
    this.accept(datasetOf(this.runId, replication))
    this.recordTime(performance.now() - sentAt)
    if (this.beats++ % STATISTICS_EVERY === 0) await this.readStatistics()
  }

  private accept(dataset: string | undefined): void {
    const isNew = !this.isPrimary || (dataset !== undefined && dataset !== this.dataset)
    if (isNew) {
      this.isPrimary = true
      this.dataset = dataset
      this.events.onDataset()
      for (const resolve of this.waiting) resolve()
    }
  }

  private recordTime(ms: number): void {
    this.slowBeats = ms > SLOW_MS ? this.slowBeats + 1 : 0
    if (this.slowBeats >= SLOW_BEATS) this.events.onFailure(new SlowReplies(ms))
    else this.events.onBeat()
  }

  private reject(error: Error): void {
    this.setDown()
    this.events.onFailure(error)
    // Only a new connection reads a changed password.
    if (problemOf(error) === 'wrong password') this.client.disconnect(true)
  }

  private setDown(): void {
    if (this.isPrimary) this.downSince = performance.now()
    this.isPrimary = false
    this.dataset = undefined
    this.runId = undefined
    this.slowBeats = 0
  }

  private async readStatistics(): Promise<void> {
    const evicted = fieldOf(await this.client.info('stats'), 'evicted_keys')
    this.evictedKeys = evicted === undefined ? undefined : Number(evicted)
  }
}

/** @param info Redis' reply to `INFO replication`; undefined if it was an error */
export function datasetOf(runId: string | undefined, info: unknown): string | undefined {
  if (runId === undefined || fieldOf(info, 'role') !== 'master') return undefined
  const replicationId = fieldOf(info, 'master_replid')
  return replicationId && `${runId}:${replicationId}`
}

/** A field of a reply to INFO. */
export function fieldOf(info: unknown, field: string): string | undefined {
  if (typeof info !== 'string') return undefined
  return new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}

import type { Redis as Client } from 'ioredis'
import type { Logger } from '../telemetry/logger.js'
import { Outage } from '../telemetry/outage.js'
import { problemOf, type RedisProblem } from './redis-problem.js'

/** A connection that is ready for this long ends an outage; a longer time if the previous outage has just ended. */
const STABLE_MS = { first: 1_000, relapse: 10_000 }
/** An outage that begins this soon after the previous one is a relapse. */
const RELAPSE_MS = 60_000
/** A longer pause follows only if several connections were closed soon. */
const LONG_PAUSE_MS = 150
/** How long the problems of a server that can be reached last, unless they are seen again. */
const LASTS_MS: Partial<Record<RedisProblem, number>> = { full: 10_000, slow: 2_000 }

/** Why Redis can't be used, as its connections and its replies show, and the log of its outages. */
export class RedisCondition {
  private readonly readyAt = new Map<Client, number>()
  private readonly outage: Outage
  private stableMs = STABLE_MS.first
  private endedAt = -Infinity
  private failure: { readonly problem: RedisProblem; readonly at: number } | undefined

  constructor(private readonly log: Logger) {
    this.outage = new Outage(log, 'Redis')
  }

  /** The problem that began last. */
  get problem(): RedisProblem | undefined {
    return this.failure?.problem
  }

  /** Whether a server that can be reached was slow, or refused a write, in the last seconds. */
  get isImpaired(): boolean {
    const lastsMs = this.failure && LASTS_MS[this.failure.problem]
    if (!this.failure || lastsMs === undefined) return false
    return performance.now() - this.failure.at < Math.max(lastsMs, this.stableMs)
  }

  watch(client: Client): void {
    this.readyAt.set(client, Infinity)
    client.on('ready', () => this.readyAt.set(client, performance.now()))
    client.on('close', () => this.readyAt.set(client, Infinity))
    client.on('error', (error: Error) => {
      if (!isUnexplained(error)) this.fail(error)
    })
    client.on('reconnecting', (pauseMs: number) => {
      // No error is emitted if a server closes each connection.
      if (pauseMs > LONG_PAUSE_MS && !this.outage.isActive) {
        this.fail(new Error('Each connection is closed soon after it is established'))
      }
    })
    client.on('sentinelError', (err: Error) => this.log.debug({ err }, 'a Sentinel is unavailable'))
  }

  fail(error: Error): void {
    const now = performance.now()
    this.failure = { problem: problemOf(error), at: now }
    if (this.outage.isActive) return
    this.stableMs = now - this.endedAt < RELAPSE_MS ? STABLE_MS.relapse : STABLE_MS.first
    this.outage.begin(error)
  }

  /** Ends the outage if every connection is stable. */
  recover(): void {
    const now = performance.now()
    const stableSince = now - this.stableMs
    const isStable = [...this.readyAt.values()].every((readyAt) => readyAt <= stableSince)
    if (!isStable || this.isImpaired) return
    this.failure = undefined
    if (this.outage.isActive) this.endedAt = now
    this.outage.end()
  }
}

/**
 * Whether ioredis reports that it begins the list of Sentinels again, without a cause. It does so at the end of
 * the list, although the previous Sentinel has named a Redis.
 */
function isUnexplained({ message }: Error): boolean {
  return /^All sentinels are unreachable\. Retrying from scratch after [\d.]+ms\.$/.test(message)
}

import { randomUUID } from 'node:crypto'
import { Batch, type BatchLimits } from '@malipo/kit/worker/batch'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import type { Logger } from '@malipo/kit/telemetry/logger'
import type { TimedValues, Redis } from '@malipo/kit/redis/redis'
import { parseRevocationValue, revocationKey } from '@malipo/kit/redis/session-revocation'
import { currentSpanLink, withSharedSpan } from '@malipo/kit/telemetry/tracing'
import { CircuitBreaker } from './circuit-breaker.js'

/** The result of a read: a token's entry and its session's revocation at one moment. */
export interface CacheRead {
  /** Redis' clock, ms since the epoch. */
  readonly redisNowMs: number
  /** `performance.now()` before the read was sent: its result is no older than that. */
  readonly sentAt: number
  /** Undefined if Redis lost the generation just after it was created: nothing can be stored then. */
  readonly generation: string | undefined
  /** The entry, unparsed; null if there is none. */
  readonly json: string | null
  /** When auth revoked the session, by auth's clock; undefined if the session is not revoked. */
  readonly revokedAt: number | undefined
}

/** A read in progress: `fast` for callers that can fall back to auth, `eventual` for those that can't. */
export interface PendingRead {
  /** Undefined after 50 ms, or immediately while the circuit is open. */
  readonly fast: Promise<CacheRead | undefined>
  /** Undefined if Redis is down or hangs. */
  readonly eventual: Promise<CacheRead | undefined>
}

const NO_READ: PendingRead = {
  fast: Promise.resolve(undefined),
  eventual: Promise.resolve(undefined),
}

interface ReadRequest {
  readonly tokenHash: string
  readonly sid: string
  readonly spanLink: ReturnType<typeof currentSpanLink>
}

/** A request that can call auth instead gains nothing from a slower cache. */
const FAST_MS = 50
/** For callers that can't fall back to auth. A busy machine must not make Redis look unavailable. */
export const REDIS_TIMEOUT_MS = 750
/** No retry interval: every read probes Redis, and callers don't wait for it while the circuit is open. */
const BREAKER = { maxFailures: 3, retryIntervalMs: 0 }
/**
 * One round trip at a time, each for all reads that are waiting: a command with 512 keys takes Redis about
 * 200 µs. While Redis hangs, only a bounded number of reads waits.
 */
const LIMITS: BatchLimits = {
  maxInFlight: 1,
  maxItems: 256,
  maxQueued: 1_024,
  maxDelayMs: Infinity,
  maxQueueTimeMs: Infinity,
  stallThresholdMs: Infinity,
}
/** Longer than the lifetime of any entry: when a generation expires, the whole cache is invalid. */
const GENERATION_TTL_MS = 7 * 24 * 3600 * 1000

/**
 * The token cache that replicas share through Redis: entries of tokens (`token:{sha256}`), read together with
 * auth's revocations (`revoked:{sid}`).
 *
 * - One command reads an entry and its revocation, so the order of writes doesn't matter: an entry that is
 *   written after a logout is read with the revocation, which outlives every entry.
 * - An entry is valid only in its generation, a random string under a key that contains the name of Redis'
 *   data set. If Redis loses its data, it loses the generation too. A restarted Redis or a promoted replica
 *   has a data set with another name. In both cases every older entry is a miss, since revocations may be
 *   missing.
 */
export class TokenCache {
  private readonly reads: Batch<ReadRequest, CacheRead | undefined>
  private readonly breaker = new CircuitBreaker(BREAKER)

  constructor(
    private readonly redis: Pick<Redis, 'dataset' | 'read' | 'set' | 'setOnce'>,
    private readonly log: Logger,
  ) {
    this.reads = new Batch(
      (requests) => this.readBatch(requests),
      () => [],
      LIMITS,
    )
  }

  /** Whether Redis is down, or was slow several times in a row. */
  get isOpen(): boolean {
    return this.breaker.isOpen || this.redis.dataset === undefined
  }

  read(tokenHash: string, sid: string): PendingRead {
    if (this.redis.dataset === undefined) return NO_READ
    const request = { tokenHash, sid, spanLink: currentSpanLink() }
    // The batch rejects a read if its queue is full.
    const eventual = this.reads.call(request, { deadline: Infinity }).catch(() => undefined)
    return { fast: this.breaker.isOpen ? NO_READ.fast : withTimeout(eventual, FAST_MS), eventual }
  }

  /** Stores an entry without waiting for Redis. */
  store(tokenHash: string, json: string, lifetimeMs: number): void {
    if (!this.breaker.isOpen) void this.redis.set(`token:${tokenHash}`, json, lifetimeMs)
  }

  private async readBatch(requests: readonly ReadRequest[]): Promise<(CacheRead | undefined)[]> {
    const sentAt = performance.now()
    const { dataset } = this.redis
    const links = requests.map(({ spanLink }) => spanLink)
    const read = async () => (dataset === undefined ? undefined : this.fetch(requests, dataset))
    const reading = withSharedSpan(links, read)
    void withTimeout(reading, FAST_MS).then((values) => this.recordRead(values !== undefined))
    const values = await reading
    return requests.map((_, i) => values && readAt(values, i, sentAt))
  }

  /** Creates the generation if there is none. Concurrent replicas all read the one created first. */
  private async fetch(
    requests: readonly ReadRequest[],
    dataset: string,
  ): Promise<TimedValues | undefined> {
    const generation = `token-generation:${dataset}`
    const keys = requests.flatMap(({ tokenHash, sid }) => [
      `token:${tokenHash}`,
      revocationKey(sid),
    ])
    const values = await this.redis.read([generation, ...keys])
    if (!values || values.values[0] !== null) return values
    await this.redis.setOnce(generation, randomUUID(), GENERATION_TTL_MS)
    return this.redis.read([generation, ...keys])
  }

  private recordRead(isFast: boolean): void {
    const wasOpen = this.breaker.isOpen
    if (isFast) this.breaker.recordSuccess()
    else this.breaker.recordFailure(performance.now())
    if (wasOpen === this.breaker.isOpen) return
    if (wasOpen) this.log.info('redis responds in time again: circuit closed')
    else this.log.warn('redis is slow or down: circuit open, token checks do not wait for it')
  }
}

function readAt({ nowMs, values }: TimedValues, index: number, sentAt: number): CacheRead {
  return {
    redisNowMs: nowMs,
    sentAt,
    generation: values[0] ?? undefined,
    json: values[2 * index + 1] ?? null,
    revokedAt: parseRevocationValue(values[2 * index + 2] ?? null),
  }
}

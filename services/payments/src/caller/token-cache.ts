import { randomUUID } from 'node:crypto'
import { Batch, type BatchLimits } from '@malipo/kit/worker/batch'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import type { Logger } from '@malipo/kit/telemetry/logger'
import type { TimedValues, Redis } from '@malipo/kit/redis/redis'
import { parseRevocationValue, revocationKey } from '@malipo/kit/redis/session-revocation'
import { currentSpanLink, withSharedSpan } from '@malipo/kit/telemetry/tracing'
import { CircuitBreaker } from '@malipo/kit/worker/circuit-breaker'

/** The result of a read: a token's entry and the revocation of its session, read at the same moment. */
export interface CacheRead {
  /** The time of the read by Redis' clock, in ms since the epoch. */
  readonly redisNowMs: number
  /** `performance.now()` just before the read was sent. The result is no older than that. */
  readonly sentAt: number
  /** Undefined if Redis lost the generation just after it was created; then no entry can be stored. */
  readonly generation: string | undefined
  /** The entry, unparsed; null if there is none. */
  readonly json: string | null
  /** When auth revoked the session, by auth's clock; undefined if the session is not revoked. */
  readonly revokedAt: number | undefined
}

/** A read in progress: `fast` is for callers that can fall back to auth, `eventual` for those that can't. */
export interface PendingRead {
  /** Resolves to undefined after 50 ms, or immediately while the circuit is open. */
  readonly fast: Promise<CacheRead | undefined>
  /** Resolves to undefined if Redis is down or hangs, or if too many reads are waiting. */
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

/** Timeout of `fast` reads: a request that can call auth instead gains nothing from a slower cache. */
const FAST_MS = 50
/** Timeout of Redis commands for `eventual` reads. A busy machine must not make Redis look unavailable. */
export const REDIS_TIMEOUT_MS = 750
/** No retry interval: every read probes Redis, but `fast` reads don't wait while the circuit is open. */
const BREAKER = { maxFailures: 3, retryIntervalMs: 0 }
/**
 * One round trip at a time serves up to 256 waiting reads: a command with their 512 keys takes Redis about
 * 200 µs. The queue is bounded, since Redis may hang.
 */
const LIMITS: BatchLimits = {
  maxInFlight: 1,
  maxItems: 256,
  maxQueued: 1_024,
  maxDelayMs: Infinity,
  stallThresholdMs: Infinity,
}
/** Lifetime of a generation, longer than that of any entry. When it expires, all entries become invalid. */
const GENERATION_TTL_MS = 7 * 24 * 3600 * 1000

/**
 * The token cache that replicas share through Redis: entries of tokens (`token:{sha256}`), read together with
 * auth's revocations (`revoked:{sid}`).
 *
 * - One command reads an entry and its session's revocation, so the order of writes doesn't matter. Even if
 *   an entry is written after a logout, the read returns the revocation too, which outlives every entry.
 * - Each entry carries a generation: a random string that Redis stores under a key with the server's `run_id`
 *   and `master_replid`. After a loss of data, a restart or a failover, the old generation is not found under
 *   the current key. Every older entry is then a miss, since revocations may be missing too.
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

  /** Whether Redis is down, or three reads in a row were slow or failed. */
  get isOpen(): boolean {
    return this.breaker.isOpen || this.redis.dataset === undefined
  }

  read(tokenHash: string, sid: string): PendingRead {
    if (this.redis.dataset === undefined) return NO_READ
    const request = { tokenHash, sid, spanLink: currentSpanLink() }
    // `call` rejects if the queue of the batch is full.
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

  /** Reads entries, and creates a missing generation. Concurrent replicas all use the first one created. */
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

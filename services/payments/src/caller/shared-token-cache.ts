import { randomBytes } from 'node:crypto'
import { Batch, type BatchLimits } from '@malipo/kit/worker/batch'
import { CircuitBreaker } from '@malipo/kit/worker/circuit-breaker'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import type { Logger } from '@malipo/kit/telemetry/logger'
import type { TimedValues, Redis } from '@malipo/kit/redis/redis'
import { parseSessionValue, sessionKey } from '@malipo/kit/redis/session-revocation'
import { currentSpanLink, withSharedSpan } from '@malipo/kit/telemetry/tracing'
import { timeLeftMs } from '@malipo/kit/telemetry/request-context'
import { LRUCache } from 'lru-cache'
import type { SessionRead } from './session-proof.js'

/** A token in the caches: the hash of the token, and the session that it claims to belong to. */
export interface TokenKey {
  readonly hash: string
  /** Undefined if the token names no session: then nothing of it is in Redis. */
  readonly sid: string | undefined
}

/** The result of a read: a token's entry and the state of its session, read at the same moment. */
export interface CacheRead extends SessionRead {
  /** The time of the read by Redis' clock, in ms since the epoch. */
  readonly redisNowMs: number
  /** `performance.now()` just before the read was sent. The result is no older than that. */
  readonly sentAt: number
  /** The entry as stored, not verified; null if there is none. */
  readonly entry: string | null
}

/** A read in progress: `fast` is for callers that can fall back to auth, `eventual` for those that can't. */
export interface PendingRead {
  /** Resolves to undefined after 50 ms, or immediately while reads are slow. */
  readonly fast: Promise<CacheRead | undefined>
  /** Resolves to undefined if Redis is down or too many reads wait, or immediately while reads time out. */
  readonly eventual: Promise<CacheRead | undefined>
}

const NOTHING = Promise.resolve(undefined)
const NO_READ: PendingRead = { fast: NOTHING, eventual: NOTHING }

interface ReadRequest {
  readonly hash: string
  readonly sid: string
  readonly spanLink: ReturnType<typeof currentSpanLink>
}

/** Timeout of `fast` reads: a request that can call auth instead gains nothing from a slower cache. */
const FAST_MS = 50
/** Timeout of Redis commands for `eventual` reads. A busy machine must not make Redis look unavailable. */
export const REDIS_TIMEOUT_MS = 750
/** The last read of a request gets this much even if its deadline has passed during the call to auth. */
const LAST_READ_MS = 250
/** No retry interval: every read probes Redis, but requests don't wait for it while the circuit is open. */
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
/**
 * Lifetime of a proof that no entry carries yet: longer than a call to auth (`DB_WAIT_MS`), and short, because
 * tokens that auth rejects create proofs too.
 */
const NEW_PROOF_TTL_MS = 30_000
/** Proofs outlive the entries that carry them, so that Redis evicts and expires the entries first. */
const PROOF_MARGIN_MS = 30_000
/** Maximum number of keys whose deletion waits for Redis. The oldest are dropped. */
const MAX_REMOVALS = 2_000

export function entryKey(tokenHash: string): string {
  return `token:${tokenHash}`
}

/**
 * The token cache that replicas share through Redis: entries of tokens (`token:{sha256}`), read together with
 * the states of their sessions (`session:{sid}`). An entry counts only while the key of its session holds the
 * proof from before the call to auth; see `session-proof.ts`. So the order of writes does not matter, and
 * neither does the loss of any key.
 */
export class SharedTokenCache {
  private readonly reads: Batch<ReadRequest, CacheRead | undefined>
  /** Opens when reads are slow. */
  private readonly breaker = new CircuitBreaker(BREAKER)
  /** Opens when reads time out. */
  private readonly timeouts = new CircuitBreaker(BREAKER)
  /** The keys that are not yet deleted. */
  private readonly removals = new LRUCache<string, true>({ max: MAX_REMOVALS })
  private removing: Promise<void> | undefined

  constructor(
    private readonly redis: Pick<Redis, 'isUp' | 'read' | 'set' | 'setOnce' | 'extend' | 'delete'>,
    private readonly maxEntryLifetimeMs: number,
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
    return this.breaker.isOpen || !this.redis.isUp
  }

  read({ hash, sid }: TokenKey): PendingRead {
    if (sid === undefined || !this.redis.isUp) return NO_READ
    const request = { hash, sid, spanLink: currentSpanLink() }
    // `call` rejects if the queue of the batch is full.
    const reading = this.reads.call(request, { deadline: Infinity }).catch(() => undefined)
    return {
      fast: this.breaker.isOpen ? NOTHING : withTimeout(reading, FAST_MS),
      eventual: this.timeouts.isOpen ? NOTHING : reading,
    }
  }

  /**
   * Creates a proof for a session that has none, and reads the key again in the same round trip. It never
   * replaces a revocation, nor the proof that another replica has created meanwhile.
   */
  createProof(token: TokenKey & { readonly sid: string }): PendingRead {
    const proof = randomBytes(16).toString('base64url')
    void this.redis.setOnce(sessionKey(token.sid), proof, NEW_PROOF_TTL_MS)
    // Sent after the command above on the same connection, so that it shows the command's effect.
    return this.read(token)
  }

  /** Stores an entry without waiting for Redis. */
  store({ hash, sid }: TokenKey, entry: string, lifetimeMs: number): void {
    if (sid === undefined || this.breaker.isOpen) return
    void this.redis.set(entryKey(hash), entry, lifetimeMs)
    void this.redis.extend(sessionKey(sid), this.maxEntryLifetimeMs + PROOF_MARGIN_MS)
  }

  /**
   * Deletes keys of refused tokens, and repeats it until Redis has confirmed it. Whatever the keys hold by
   * then, even the mark of a revocation: its loss costs a call to auth.
   */
  remove(...keys: readonly string[]): void {
    for (const key of keys) this.removals.set(key, true)
    void this.removePending()
  }

  removePending(): Promise<void> {
    this.removing ??= this.deletePending().finally(() => (this.removing = undefined))
    return this.removing
  }

  private async deletePending(): Promise<void> {
    while (this.removals.size > 0) {
      const keys = [...this.removals.keys()]
      if ((await this.redis.delete(keys)) === undefined) return
      for (const key of keys) this.removals.delete(key)
    }
  }

  private async readBatch(requests: readonly ReadRequest[]): Promise<(CacheRead | undefined)[]> {
    const sentAt = performance.now()
    const links = requests.map(({ spanLink }) => spanLink)
    const keys = requests.flatMap(({ hash, sid }) => [entryKey(hash), sessionKey(sid)])
    const reading = withSharedSpan(links, () => this.redis.read(keys))
    void withTimeout(reading, FAST_MS).then((values) => this.recordRead(values !== undefined))
    const values = await reading
    if (values) this.timeouts.recordSuccess()
    else this.timeouts.recordFailure(performance.now())
    return requests.map((_, i) => values && readAt(values, i, sentAt))
  }

  private recordRead(isFast: boolean): void {
    const wasOpen = this.breaker.isOpen
    if (isFast) this.breaker.recordSuccess()
    else this.breaker.recordFailure(performance.now())
    if (wasOpen === this.breaker.isOpen) return
    // The client of Redis logs the outage.
    this.log.debug(`the circuit of Redis is ${wasOpen ? 'closed' : 'open'}`)
  }
}

/** The result of a read, if it arrives before the deadline of the request. */
export function beforeDeadline({ eventual }: PendingRead): Promise<CacheRead | undefined> {
  return withTimeout(eventual, Math.max(timeLeftMs(REDIS_TIMEOUT_MS), LAST_READ_MS))
}

function readAt({ nowMs, values, dataset }: TimedValues, index: number, sentAt: number): CacheRead {
  return {
    redisNowMs: nowMs,
    sentAt,
    dataset,
    entry: values[2 * index] ?? null,
    session: parseSessionValue(values[2 * index + 1] ?? null),
  }
}

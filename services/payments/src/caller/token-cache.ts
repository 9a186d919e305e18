import { randomUUID } from 'node:crypto'
import { Batch, type BatchLimits } from '@malipo/kit/worker/batch'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import type { Logger } from '@malipo/kit/telemetry/logger'
import type { TimedValues, Redis } from '@malipo/kit/redis/redis'
import { parseRevocationValue, revocationKey } from '@malipo/kit/redis/session-revocation'
import { currentSpanLink, withSharedSpan } from '@malipo/kit/telemetry/tracing'
import { Breaker } from './breaker.js'
import { type Entry, parseEntry } from './entry.js'

/**
 * What the replicas share through Redis: entries of tokens (`token:{sha256}`), and auth's marks of
 * sessions that are over (`revoked:{sid}`, ms since the epoch).
 *
 * - A mark and an entry are read together, and with all others that wait, in one round trip. So it
 *   doesn't matter when an entry is written: an entry of before the logout that arrives after it is
 *   read together with the mark, which lives longer than any entry.
 * - An entry counts only in its generation: a random text under a key that carries the dataset's name.
 *   A Redis that lost its data has lost the generation; one that came back with old data, or a promoted
 *   replica, has another name. Either way what was cached before is a miss, since marks may be missing.
 *   No clock takes part in this.
 * - Redis slow or down is a value: `undefined`.
 */
export interface Look {
  /** Redis' clock, ms since the epoch. */
  readonly nowMs: number
  /** `performance.now()` before Redis was asked: what it says holds for that time. */
  readonly sentAt: number
  /** Undefined when it was lost just as it was made: nothing can be kept by this look. */
  readonly generation: string | undefined
  /** The entry's text, to be parsed unless it is known already. */
  readonly text: string | null
  /** When the session was ended, by auth's clock; undefined when it was not. */
  readonly revokedAt: number | undefined
}

/** What Redis says of a token, for who would rather ask auth than wait, and for who can't. */
export interface Looking {
  /** Undefined after 50 ms, or at once when Redis was that slow a few times in a row. */
  readonly soon: Promise<Look | undefined>
  /** Undefined when Redis is away, or hangs. */
  readonly late: Promise<Look | undefined>
}

const NOTHING: Looking = { soon: Promise.resolve(undefined), late: Promise.resolve(undefined) }

interface Asked {
  readonly hash: string
  readonly sid: string
  readonly rider: ReturnType<typeof currentSpanLink>
}

/** A cache that answers later than this is of no use to a request that could ask auth. */
const SLOW_MS = 50
/**
 * How long Redis may take where nothing but its word helps. A process or a machine that is too busy adds
 * to that, and is not to be taken for a Redis that is away.
 */
export const REDIS_ANSWER_MS = 750
/** The pause is of no use here: each look is a try, only nobody waits for it. */
const BREAKER = { failures: 3, pauseMs: 0 }
/**
 * One round trip after the other, each for all that waited for it: a command of 512 keys takes Redis some
 * 200 µs. While Redis hangs, a bounded number waits.
 */
const LIMITS: BatchLimits = {
  maxInFlight: 1,
  maxItems: 256,
  maxQueued: 1_024,
  maxDelayMs: Infinity,
  maxQueueTimeMs: Infinity,
  stallThresholdMs: Infinity,
}
/** Longer than any entry; a generation that ends is a cache that is empty once. */
const GENERATION_MS = 7 * 24 * 3600 * 1000

export class TokenCache {
  private readonly looks: Batch<Asked, Look | undefined>
  private readonly breaker = new Breaker(BREAKER)

  constructor(
    private readonly redis: Pick<Redis, 'dataset' | 'read' | 'set' | 'setOnce'>,
    private readonly log: Logger,
  ) {
    this.looks = new Batch(
      (some) => this.lookFor(some),
      () => [],
      LIMITS,
    )
  }

  /** Whether Redis is away, or was slow a few times in a row. */
  get isLeftAlone(): boolean {
    return this.breaker.isOpen || this.redis.dataset === undefined
  }

  /** What Redis has of a token and its session. */
  look(hash: string, sid: string): Looking {
    if (this.redis.dataset === undefined) return NOTHING
    const asked = { hash, sid, rider: currentSpanLink() }
    // Turned away, it is without an answer as any other.
    const late = this.looks.call(asked, { deadline: Infinity }).catch(() => undefined)
    return { soon: this.breaker.isOpen ? NOTHING.soon : withTimeout(late, SLOW_MS), late }
  }

  /** Keeps an entry for `livesMs`, without a word on whether Redis took it. */
  keep(hash: string, text: string, livesMs: number): void {
    if (!this.breaker.isOpen) void this.redis.set(`token:${hash}`, text, livesMs)
  }

  private async lookFor(some: readonly Asked[]): Promise<(Look | undefined)[]> {
    const sentAt = performance.now()
    const { dataset } = this.redis
    const riders = some.map((each) => each.rider)
    const read = async () => (dataset === undefined ? undefined : this.read(some, dataset))
    const asking = withSharedSpan(riders, read)
    void withTimeout(asking, SLOW_MS).then((soon) => this.judge(soon !== undefined))
    const reading = await asking
    return some.map((_, i) => reading && lookOf(reading, i, sentAt))
  }

  /** The generation is made by who finds none; two who do so at once read the one that was first. */
  private async read(some: readonly Asked[], dataset: string): Promise<TimedValues | undefined> {
    const generation = `token-generation:${dataset}`
    const keys = some.flatMap(({ hash, sid }) => [`token:${hash}`, revocationKey(sid)])
    const reading = await this.redis.read([generation, ...keys])
    if (!reading || reading.values[0] !== null) return reading
    await this.redis.setOnce(generation, randomUUID(), GENERATION_MS)
    return this.redis.read([generation, ...keys])
  }

  private judge(isInTime: boolean): void {
    const wasOpen = this.breaker.isOpen
    if (isInTime) this.breaker.succeeded()
    else this.breaker.failed(performance.now())
    if (wasOpen === this.breaker.isOpen) return
    if (wasOpen) this.log.info('redis answers in time again')
    else this.log.warn('redis is slow or away: nobody waits for it')
  }
}

/** What a reading of many says of the one at a place. */
function lookOf({ nowMs, values }: TimedValues, place: number, sentAt: number): Look {
  const generation = values[0] ?? undefined
  const text = values[2 * place + 1] ?? null
  const revokedAt = parseRevocationValue(values[2 * place + 2] ?? null)
  return { nowMs, sentAt, generation, text, revokedAt }
}

/** An entry, unless it is of another generation or of another session than the one looked for. */
export function entryOf({ text, generation }: Look, sid: string): Entry | undefined {
  const entry = text === null ? undefined : parseEntry(text)
  return entry?.generation === generation && entry?.sid === sid ? entry : undefined
}

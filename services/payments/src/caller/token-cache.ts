import { randomUUID } from 'node:crypto'
import type { Pino } from '@malipo/kit/logger'
import type { Reading, Redis } from '@malipo/kit/redis'
import { rider, together } from '@malipo/kit/tracing'
import { Breaker } from './breaker.js'
import { type Entry, parseEntry } from './entry.js'

/**
 * What the replicas share through Redis: entries of tokens (`token:{sha256}`), and auth's marks of
 * sessions that are over (`revoked:{sid}`, ms since the epoch).
 *
 * - A mark and an entry are read together, and with all others that wait, in one round trip. So it doesn't matter when an entry is written: an entry of before the
 *   logout that arrives after it is read together with the mark, which lives longer than any entry.
 * - An entry counts only in its generation: a random text under a key that carries the dataset's name.
 *   A Redis that lost its data has lost the generation; one that came back with old data, or a promoted
 *   replica, has another name. Either way what was cached before is a miss, since marks may be missing.
 *   No clock takes part in this.
 * - Redis slow or down is a value: `undefined`, at once when it was so a few times in a row.
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

interface Waiting {
  readonly hash: string
  readonly sid: string
  readonly resolve: (look: Look | undefined) => void
  readonly rider: ReturnType<typeof rider>
}

/** A cache that answers later than this is of no use to a request that could have asked auth. */
const SLOW_MS = 50
const BREAKER = { failures: 3, pauseMs: 1_000 }
/** A command of 512 keys takes Redis some 200 µs. */
const MOST_IN_ONE = 256
/** Longer than any entry; a generation that ends is a cache that is empty once. */
const GENERATION_MS = 7 * 24 * 3600 * 1000

export class TokenCache {
  private waiting: Waiting[] = []
  private isUnderWay = false
  private readonly breaker = new Breaker(BREAKER)

  constructor(
    private readonly redis: Pick<Redis, 'dataset' | 'read' | 'set' | 'setOnce'>,
    private readonly log: Pino,
  ) {}

  /** Whether Redis is away, or was slow a few times in a row. */
  get isLeftAlone(): boolean {
    return this.breaker.isOpen || this.redis.dataset === undefined
  }

  /** What Redis has of a token and its session; undefined when it can't say in time. */
  look(hash: string, sid: string): Promise<Look | undefined> {
    const { promise, resolve } = Promise.withResolvers<Look | undefined>()
    this.waiting.push({ hash, sid, resolve, rider: rider() })
    this.depart()
    return promise
  }

  /** Keeps an entry for `livesMs`, without a word on whether Redis took it. */
  keep(hash: string, text: string, livesMs: number): void {
    if (!this.breaker.isOpen) void this.redis.set(`token:${hash}`, text, livesMs)
  }

  /** What comes in this turn of the event loop goes together, and what comes later with the next. */
  private depart(): void {
    if (this.isUnderWay || this.waiting.length === 0) return
    this.isUnderWay = true
    setImmediate(async () => {
      await this.lookFor(this.waiting.splice(0, MOST_IN_ONE))
      this.isUnderWay = false
      this.depart()
    })
  }

  private async lookFor(some: readonly Waiting[]): Promise<void> {
    const sentAt = performance.now()
    const { dataset } = this.redis
    const isAsked = dataset !== undefined && this.breaker.admits(sentAt)
    const read = () => this.read(some, `token-generation:${dataset}`)
    const riders = some.map((each) => each.rider)
    const reading = isAsked ? await together(riders, read) : undefined
    if (isAsked) this.judge(reading !== undefined)
    some.forEach(({ resolve }, i) => {
      if (!reading) return resolve(undefined)
      const { nowMs, values } = reading
      const [generation, text = null, mark = null] = [
        values[0],
        ...values.slice(2 * i + 1, 2 * i + 3),
      ]
      resolve({ nowMs, sentAt, generation: generation ?? undefined, text, revokedAt: timeOf(mark) })
    })
  }

  /** The generation is made by who finds none; two who do so at once read the one that was first. */
  private async read(some: readonly Waiting[], generation: string): Promise<Reading | undefined> {
    const keys = some.flatMap(({ hash, sid }) => [`token:${hash}`, `revoked:${sid}`])
    const reading = await this.redis.read([generation, ...keys], SLOW_MS)
    if (!reading || reading.values[0] !== null) return reading
    await this.redis.setOnce(generation, randomUUID(), GENERATION_MS)
    return this.redis.read([generation, ...keys], SLOW_MS)
  }

  private judge(answered: boolean): void {
    const wasOpen = this.breaker.isOpen
    if (answered) this.breaker.succeeded()
    else this.breaker.failed(performance.now())
    if (wasOpen === this.breaker.isOpen) return
    if (wasOpen) this.log.info('redis answers in time again')
    else this.log.warn('redis is slow or away: auth is asked about each token')
  }
}

/** An entry, unless it is of another generation or of another session than the one looked for. */
export function entryOf({ text, generation }: Look, sid: string): Entry | undefined {
  const entry = text === null ? undefined : parseEntry(text)
  return entry?.generation === generation && entry?.sid === sid ? entry : undefined
}

/** A mark is one whatever it says: 0 stands for a time that can't be read. */
function timeOf(mark: string | null): number | undefined {
  if (mark === null) return undefined
  return /^\d{1,15}$/.test(mark) ? Number(mark) : 0
}

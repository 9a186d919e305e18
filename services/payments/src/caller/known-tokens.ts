import { LRUCache } from 'lru-cache'
import type { Claims } from './auth-client.js'
import { type CacheTimes, type Entry, SKEW_MS, useOf } from './entry.js'
import type { Caller } from './scopes.js'
import type { Session, Sessions } from './sessions.js'
import { entryOf, type Look } from './token-cache.js'

/** Who holds a token, made once and given to every request that brings it. */
export interface Holder {
  readonly caller: Caller
  readonly session: Session
}

/** A token that auth vouched for, as this replica last read it from Redis. */
interface Known extends Holder {
  readonly text: string
  readonly entry: Entry
  session: Session
  /** Until when it counts without Redis, on the clock of `performance.now()`. */
  warmUntil: number
}

/** How a token that is known may be used. */
export interface Recognised {
  readonly use: 'fresh' | 'stale'
  readonly holder: Holder
}

const WARM_MS = 500
/** About a kilobyte each. */
const MOST = 10_000

/**
 * The layer in front of Redis: what was read there counts for half a second from when it was asked for,
 * while auth's announcements are heard. One that is lost costs that half second; one that arrives ends
 * it at once. What is no longer warm is kept to be recognised without being parsed again.
 */
export class KnownTokens {
  private readonly tokens = new LRUCache<string, Known>({ max: MOST })

  constructor(
    private readonly sessions: Sessions,
    private readonly announcements: { readonly isLive: boolean },
    private readonly times: CacheTimes,
  ) {}

  /** Who holds a token that needs no look at Redis. */
  warm(hash: string): Holder | undefined {
    const known = this.tokens.get(hash)
    const isWarm =
      known !== undefined &&
      performance.now() < known.warmUntil &&
      known.session.overAt === undefined &&
      this.announcements.isLive &&
      Date.now() < known.entry.exp * 1000 - SKEW_MS
    return isWarm ? known : undefined
  }

  /** The session of a token that was known once, whether or not it still counts. */
  sessionOf(hash: string): string | undefined {
    return this.tokens.peek(hash)?.entry.sid
  }

  /** Takes what Redis said of a token; undefined when that is of no use. */
  recognise(hash: string, sid: string, look: Look): Recognised | undefined {
    const before = this.tokens.get(hash)
    const isSame = before?.text === look.text && before?.entry.generation === look.generation
    const known = isSame ? before : this.read(sid, look)
    const clocks = { redisMs: look.nowMs, ownMs: Date.now() }
    const use = known ? useOf(known.entry, clocks, this.times) : 'none'
    if (!known || use === 'none') {
      this.tokens.delete(hash)
      return undefined
    }
    known.session = this.sessions.of(sid)
    const freshMs = this.times.ttlMs - (look.nowMs - known.entry.at)
    known.warmUntil = look.sentAt + Math.min(WARM_MS, freshMs)
    if (!isSame) this.tokens.set(hash, known)
    return { use, holder: known }
  }

  /** Announcements may have been missed: Redis is asked about each token again. */
  cool(): void {
    this.tokens.clear()
  }

  /** Who holds a token of these claims. */
  holderOf({ sub, sid, scope }: Claims): Holder {
    const caller = { id: sub, scopes: new Set(scope.split(' ')) }
    return { caller, session: this.sessions.of(sid) }
  }

  private read(sid: string, look: Look): Known | undefined {
    const entry = entryOf(look, sid)
    if (!entry || look.text === null) return undefined
    return { ...this.holderOf(entry), text: look.text, entry, warmUntil: 0 }
  }
}

import { LRUCache } from 'lru-cache'
import type { Claims } from './auth-client.js'
import {
  type CachedToken,
  type CacheTimes,
  CLOCK_SKEW_MS,
  freshness,
  parseCachedToken,
} from './cached-token.js'
import type { RevokedSessions, SessionState } from './revoked-sessions.js'
import type { Caller } from './scopes.js'
import type { CacheRead } from './token-cache.js'

/** The caller of a token and the state of its session, shared by all requests with that token. */
export interface Identity {
  readonly caller: Caller
  readonly session: SessionState
}

interface LocalEntry extends Identity {
  /** The unparsed entry, as Redis returned it. */
  readonly json: string
  readonly cachedToken: CachedToken
  session: SessionState
  /** The time, by `performance.now()`, until which the entry is used without a Redis read. */
  localUntil: number
}

const LOCAL_TTL_MS = 500
/** Maximum number of entries, at about a kilobyte each. */
const MAX_ENTRIES = 10_000

/**
 * The in-memory cache in front of Redis. While the subscription to revocations is live, an entry is used
 * without a Redis read until 500 ms after its last read was sent, or until a message revokes its session.
 * Older entries are retained, because an unchanged value from Redis need not be parsed again.
 */
export class LocalTokenCache {
  private readonly entries = new LRUCache<string, LocalEntry>({ max: MAX_ENTRIES })

  constructor(
    private readonly sessions: RevokedSessions,
    private readonly revocationMessages: { readonly isLive: boolean },
    private readonly times: CacheTimes,
  ) {}

  /** The identity of a token; undefined if its entry must be read from Redis first. */
  get(tokenHash: string): Identity | undefined {
    const entry = this.entries.get(tokenHash)
    const isUsable =
      entry !== undefined &&
      performance.now() < entry.localUntil &&
      entry.session.revokedAt === undefined &&
      this.revocationMessages.isLive &&
      Date.now() < entry.cachedToken.exp * 1000 - CLOCK_SKEW_MS
    return isUsable ? entry : undefined
  }

  /** The session id of a cached token, whether or not its entry is still usable. */
  sessionIdOf(tokenHash: string): string | undefined {
    return this.entries.peek(tokenHash)?.cachedToken.sid
  }

  /** Adds or refreshes the entry that a Redis read returned; undefined if it returned no usable entry. */
  admit(tokenHash: string, sid: string, read: CacheRead) {
    const previous = this.entries.get(tokenHash)
    const isUnchanged =
      previous?.json === read.json && previous?.cachedToken.generation === read.generation
    const entry = isUnchanged ? previous : this.parse(sid, read)
    const clocks = { redisMs: read.redisNowMs, ownMs: Date.now() }
    const state = entry ? freshness(entry.cachedToken, clocks, this.times) : 'unusable'
    if (!entry || state === 'unusable') {
      this.entries.delete(tokenHash)
      return undefined
    }
    entry.session = this.sessions.stateOf(sid)
    const freshMs = this.times.ttlMs - (read.redisNowMs - entry.cachedToken.at)
    entry.localUntil = read.sentAt + Math.min(LOCAL_TTL_MS, freshMs)
    if (!isUnchanged) this.entries.set(tokenHash, entry)
    return { freshness: state, identity: entry }
  }

  /** Removes all entries, because revocation messages may have been lost. */
  clear(): void {
    this.entries.clear()
  }

  identityOf({ sub, sid, scope }: Claims): Identity {
    const caller = { id: sub, scopes: new Set(scope.split(' ')) }
    return { caller, session: this.sessions.stateOf(sid) }
  }

  /** Parses the entry of a Redis read; undefined if none is valid for this generation and session. */
  private parse(sid: string, { json, generation }: CacheRead): LocalEntry | undefined {
    const cachedToken = json === null ? undefined : parseCachedToken(json)
    if (json === null || !cachedToken) return undefined
    if (cachedToken.generation !== generation || cachedToken.sid !== sid) return undefined
    return { ...this.identityOf(cachedToken), json, cachedToken, localUntil: 0 }
  }
}

import { databaseNow } from '@malipo/kit/postgres/clock'
import { LRUCache } from 'lru-cache'
import type { Claims } from './auth-client.js'
import { type CachedToken, type CacheTimes, freshness, usableMs } from './cached-token.js'
import type { EntrySeal } from './entry-seal.js'
import type { Caller } from './scopes.js'
import { type Proof, type RedisState, redisState } from './session-proof.js'
import type { SessionState, SessionStates } from './session-states.js'
import { type CacheRead, entryKey, type TokenKey } from './shared-token-cache.js'

/** The caller of a token and the state of its session, shared by all requests with that token. */
export interface Identity {
  readonly caller: Caller
  readonly session: SessionState
}

/** What a Redis read shows of a token. */
export interface Observation {
  readonly state: RedisState
  /** The caller, if an entry counts. */
  readonly identity?: Identity
  /** The token's authentic entry, whether or not it counts. */
  readonly entry?: CachedToken | undefined
}

interface LocalEntry extends Identity {
  /** The signed entry, as Redis returned it. */
  readonly value: string
  readonly cachedToken: CachedToken
  session: SessionState
  /** The time, by `performance.now()`, until which the entry is used without a Redis read. */
  localUntil: number
}

const LOCAL_TTL_MS = 500
/** Maximum number of entries, at about a kilobyte each. */
const MAX_ENTRIES = 10_000

interface Parts {
  readonly sessions: SessionStates
  readonly seal: Pick<EntrySeal, 'open'>
  readonly revocationMessages: { readonly isLive: boolean }
  readonly times: CacheTimes
}

/**
 * The in-memory cache in front of Redis. While the subscription to revocations is live, an entry is used
 * without a Redis read until 500 ms after its last read was sent, or until a message revokes its session.
 * Older entries are retained, because an unchanged value from Redis need not be verified and parsed again.
 */
export class LocalTokenCache {
  private readonly entries = new LRUCache<string, LocalEntry>({ max: MAX_ENTRIES })

  constructor(private readonly parts: Parts) {}

  /** The identity of a token; undefined if its entry must be read from Redis first. */
  get(tokenHash: string): Identity | undefined {
    const entry = this.entries.get(tokenHash)
    const isUsable =
      entry !== undefined &&
      performance.now() < entry.localUntil &&
      entry.session.revokedAt === undefined &&
      entry.session.refusedProof !== entry.cachedToken.proof &&
      this.parts.revocationMessages.isLive &&
      usableMs(entry.cachedToken.exp, databaseNow()) > 0
    return isUsable ? entry : undefined
  }

  /** The entry of a token as of its last read, whether or not it still counts. */
  peek(tokenHash: string): CachedToken | undefined {
    return this.entries.peek(tokenHash)?.cachedToken
  }

  /**
   * Applies a Redis read: retains the entry in it if the entry counts, and the revocation of the session.
   *
   * @param asked the proof from before the call to auth, if auth was asked
   */
  observe({ hash, sid }: TokenKey, read: CacheRead | undefined, asked?: Proof): Observation {
    if (!read || sid === undefined) return { state: 'silent', entry: this.peek(hash) }
    const local = this.entryIn(hash, sid, read)
    const entry = local?.cachedToken
    const { sessions, times } = this.parts
    const clocks = { redisMs: read.redisNowMs, ownMs: databaseNow() }
    const state = redisState(read, {
      entry: entry && {
        proof: entry.proof,
        dataset: entry.dataset,
        freshness: freshness(entry, clocks, times),
      },
      refusedProof: sessions.find(sid)?.refusedProof,
      asked,
    })
    if (state === 'revoked') sessions.revoke(sid, read.session.revokedAtMs ?? 0)
    if (!local || !entry || (state !== 'fresh' && state !== 'stale')) {
      this.entries.delete(hash)
      return { state, entry }
    }
    local.session = sessions.of(sid)
    const freshMs = times.ttlMs - (read.redisNowMs - entry.at)
    local.localUntil = read.sentAt + Math.min(LOCAL_TTL_MS, freshMs)
    if (this.entries.peek(hash) !== local) this.entries.set(hash, local)
    return { state, identity: local, entry }
  }

  remove(tokenHash: string): void {
    this.entries.delete(tokenHash)
  }

  /** Uses no entry without another Redis read, because revocation messages may have been lost. */
  expire(): void {
    for (const entry of this.entries.values()) entry.localUntil = 0
  }

  /** Removes all entries, because the keys that signed them were replaced. */
  clear(): void {
    this.entries.clear()
  }

  identityOf({ sub, merchant, sid, scope }: Claims): Identity {
    const caller = { id: sub, merchant, scopes: new Set(scope.split(' ')) }
    return { caller, session: this.parts.sessions.of(sid) }
  }

  /** The authentic entry in a Redis read; undefined if there is none of this session. */
  private entryIn(hash: string, sid: string, { entry: value }: CacheRead): LocalEntry | undefined {
    if (value === null) return undefined
    const previous = this.entries.get(hash)
    if (previous?.value === value) return previous
    const cachedToken = this.parts.seal.open(entryKey(hash), value)
    if (cachedToken?.sid !== sid) return undefined
    return { ...this.identityOf(cachedToken), value, cachedToken, localUntil: 0 }
  }
}

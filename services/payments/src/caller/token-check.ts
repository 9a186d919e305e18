import { withTimeout } from '@malipo/kit/worker/with-timeout'
import { propagationHeaders } from '@malipo/kit/http/headers'
import type { Request } from '@malipo/kit/http/request'
import type { AuthClient, Claims, Validation } from './auth-client.js'
import { type CachedToken, cacheLifetimeMs, type CacheTimes } from './cached-token.js'
import { CircuitBreaker } from '@malipo/kit/worker/circuit-breaker'
import type { LocalTokenCache } from './local-token-cache.js'
import type { RejectedTokens } from './rejected-tokens.js'
import type { RevokedSessions } from './revoked-sessions.js'
import type { CacheRead, TokenCache } from './token-cache.js'
import {
  accept,
  type CheckResult,
  type Decision,
  type Outcome,
  REJECTED,
  UNAVAILABLE,
} from './token-decision.js'
import { claimedSessionId, hashToken } from './unverified-token.js'

/** The request that presents the token. Auth receives its id and trace; its address may be throttled. */
type TokenRequest = Pick<Request, 'id' | 'headers' | 'ip'>

interface TokenCheckParts {
  readonly auth: Pick<AuthClient, 'validate'>
  readonly shared: Pick<TokenCache, 'read' | 'store'>
  readonly local: LocalTokenCache
  readonly sessions: RevokedSessions
  readonly rejected: RejectedTokens
  readonly times: CacheTimes
}

interface PresentedToken {
  readonly token: string
  readonly tokenHash: string
  readonly request: TokenRequest
}

/** Maximum time that a request with a stale entry waits for auth. A slower call counts as a failure. */
const SLOW_AUTH_MS = 500
/** Maximum time from a call to auth to the use of its result without a later Redis read of revocations. */
const RECENT_MS = 750
const AUTH_BREAKER = { maxFailures: 3, retryIntervalMs: 1_000 }

/**
 * Validates access tokens. Auth decides; all replicas share its results through Redis. docs/token-check.md
 * lists the rules and their reasons. Two rules always apply:
 *
 * - A token is rejected only because auth rejected it or published a revocation. If in doubt: 503.
 * - Before a token is accepted, the revocation of its session is read, after all other waits.
 */
export class TokenCheck {
  /** Checks in progress, by token hash. */
  private readonly inFlight = new Map<string, Promise<Decision>>()
  private readonly authBreaker = new CircuitBreaker(AUTH_BREAKER)

  constructor(
    private readonly parts: TokenCheckParts,
    private readonly counters: Readonly<Record<Outcome, { inc(): void }>>,
  ) {}

  async check(token: string, request: TokenRequest): Promise<CheckResult> {
    const tokenHash = hashToken(token)
    const identity = this.parts.local.get(tokenHash)
    const { outcome, result } = identity
      ? accept('hit', identity)
      : await this.decideOnce({ token, tokenHash, request })
    this.counters[outcome].inc()
    return result
  }

  get isAuthCircuitOpen(): boolean {
    return this.authBreaker.isOpen
  }

  private decideOnce(presented: PresentedToken): Promise<Decision> {
    const { tokenHash } = presented
    const existing = this.inFlight.get(tokenHash)
    if (existing) return existing
    const decision = this.decide(presented).finally(() => this.inFlight.delete(tokenHash))
    this.inFlight.set(tokenHash, decision)
    return decision
  }

  private async decide(presented: PresentedToken): Promise<Decision> {
    const { shared, local, sessions, rejected } = this.parts
    const { token, tokenHash, request } = presented
    if (rejected.has(tokenHash)) return REJECTED
    const sid = local.sessionIdOf(tokenHash) ?? claimedSessionId(token)
    if (sid !== undefined && sessions.isRevoked(sid)) return REJECTED
    const pending = sid === undefined ? undefined : shared.read(tokenHash, sid)
    const read = await pending?.fast
    if (sid !== undefined && read) {
      if (read.revokedAt !== undefined) return this.revoke(sid, read.revokedAt)
      const hit = local.admit(tokenHash, sid, read)
      if (hit?.freshness === 'fresh') return accept('hit', hit.identity)
      if (hit) return this.revalidate(presented, sid, read)
    }
    const retryAfterSeconds = await rejected.retryAfterSeconds(request.ip)
    if (retryAfterSeconds > 0) {
      return { outcome: 'throttled', result: { kind: 'throttled', retryAfterSeconds } }
    }
    return this.validateUncached(presented, sid, read, pending?.eventual)
  }

  private async validateUncached(
    presented: PresentedToken,
    sid: string | undefined,
    read: CacheRead | undefined,
    eventual: Promise<CacheRead | undefined> | undefined,
  ): Promise<Decision> {
    const calledAt = performance.now()
    const validation = await this.validate(presented)
    if (validation.kind === 'unavailable' && sid !== undefined) {
      return this.useStale(presented.tokenHash, sid)
    }
    if (read || validation.kind !== 'valid' || isRecent(calledAt)) {
      return this.conclude(validation, presented, read, calledAt)
    }
    // Redis and auth were both slow, so the read may have followed the call to auth. Call auth again.
    const before = await eventual
    const calledAgainAt = performance.now()
    return this.conclude(
      before ? await this.validate(presented) : validation,
      presented,
      before,
      before ? calledAgainAt : calledAt,
    )
  }

  /** Validates a token that has a stale entry. Uses the entry if auth is slow or unavailable. */
  private async revalidate(
    presented: PresentedToken,
    sid: string,
    read: CacheRead,
  ): Promise<Decision> {
    const { tokenHash } = presented
    const calledAt = performance.now()
    if (!this.authBreaker.allows(calledAt)) return this.decideByCache(read, tokenHash, sid)
    const validating = this.validate(presented)
    const validation = await withTimeout(validating, SLOW_AUTH_MS)
    if (validation && validation.kind !== 'unavailable') {
      return this.conclude(validation, presented, read, calledAt)
    }
    if (!validation) {
      this.authBreaker.recordFailure(performance.now())
      void validating.then(
        (late) => late.kind === 'valid' && this.store(tokenHash, late.claims, read),
      )
    }
    return this.useStale(tokenHash, sid)
  }

  /** Reads Redis again, waiting until its timeout: the revocation must be read after the wait for auth. */
  private async useStale(tokenHash: string, sid: string): Promise<Decision> {
    return this.decideByCache(await this.parts.shared.read(tokenHash, sid).eventual, tokenHash, sid)
  }

  private decideByCache(read: CacheRead | undefined, tokenHash: string, sid: string): Decision {
    if (!read) return UNAVAILABLE
    if (read.revokedAt !== undefined) return this.revoke(sid, read.revokedAt)
    const hit = this.parts.local.admit(tokenHash, sid, read)
    return hit ? accept('stale', hit.identity) : UNAVAILABLE
  }

  private async validate({ token, tokenHash, request }: PresentedToken): Promise<Validation> {
    const calledAt = performance.now()
    const validation = await this.parts.auth.validate(
      token,
      propagationHeaders(request.id, request.headers),
    )
    const tookMs = performance.now() - calledAt
    if (validation.kind === 'unavailable' || tookMs > SLOW_AUTH_MS) {
      this.authBreaker.recordFailure(performance.now())
    } else this.authBreaker.recordSuccess()
    if (validation.kind === 'rejected') await this.parts.rejected.add(tokenHash, request.ip)
    return validation
  }

  /** Decides on a token by auth's result. `before` is the Redis read that preceded the call to auth. */
  private async conclude(
    validation: Validation,
    { tokenHash }: PresentedToken,
    before: CacheRead | undefined,
    calledAt: number,
  ): Promise<Decision> {
    if (validation.kind === 'rejected') return REJECTED
    if (validation.kind === 'unavailable') return UNAVAILABLE
    const { claims } = validation
    const { sid } = claims
    const { shared, local } = this.parts
    this.store(tokenHash, claims, before)
    const pending = shared.read(tokenHash, sid)
    const after = (await pending.fast) ?? (isRecent(calledAt) ? undefined : await pending.eventual)
    if (after?.revokedAt !== undefined) return this.revoke(sid, after.revokedAt)
    // Redis loses no revocation within a generation. So if both reads return the same generation, the second
    // one would have shown a revocation that occurred during the call.
    const isConfirmed = after?.generation !== undefined && after.generation === before?.generation
    if (isConfirmed) {
      const hit = local.admit(tokenHash, sid, after)
      return accept('miss', hit?.identity ?? local.identityOf(claims))
    }
    return isRecent(calledAt) ? accept('miss', local.identityOf(claims)) : UNAVAILABLE
  }

  /** Stores auth's result with the time and the generation of `before`, the read that preceded the call. */
  private store(
    tokenHash: string,
    { sub, sid, scope, exp }: Claims,
    before: CacheRead | undefined,
  ): void {
    const lifetimeMs = cacheLifetimeMs(exp, Date.now(), this.parts.times)
    if (before?.generation === undefined || lifetimeMs <= 0) return
    const { redisNowMs: at, generation } = before
    const entry: CachedToken = { sub, sid, scope, exp, at, generation }
    this.parts.shared.store(tokenHash, JSON.stringify(entry), lifetimeMs)
  }

  private revoke(sid: string, revokedAt: number): Decision {
    this.parts.sessions.revoke(sid, revokedAt)
    return REJECTED
  }
}

function isRecent(calledAt: number): boolean {
  return performance.now() - calledAt < RECENT_MS
}

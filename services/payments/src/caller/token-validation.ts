import { databaseNow } from '@malipo/kit/postgres/clock'
import { propagationHeaders } from '@malipo/kit/http/headers'
import type { Request } from '@malipo/kit/http/request'
import { sessionKey } from '@malipo/kit/redis/session-revocation'
import { CircuitBreaker } from '@malipo/kit/worker/circuit-breaker'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import type { AuthClient, Claims, Validation } from './auth-client.js'
import {
  type CachedToken,
  cacheLifetimeMs,
  type CacheTimes,
  type StoredToken,
} from './cached-token.js'
import type { EntrySeal } from './entry-seal.js'
import type { LocalTokenCache, Observation } from './local-token-cache.js'
import type { RejectedTokens } from './rejected-tokens.js'
import { proofIn } from './session-proof.js'
import type { SessionStates } from './session-states.js'
import {
  beforeDeadline,
  type CacheRead,
  entryKey,
  type PendingRead,
  type SharedTokenCache,
  type TokenKey,
} from './shared-token-cache.js'
import { RECENT_MS } from './token-decision.js'

/** The request that presents the token. Auth receives its id and trace; its address may be throttled. */
export type TokenRequest = Pick<Request, 'id' | 'headers' | 'ip'>

export interface PresentedToken extends TokenKey {
  /** An access token or an API key. */
  readonly token: string
  readonly isKey: boolean
  readonly request: TokenRequest
}

/** What a new entry takes from the Redis read before the call to auth. */
export type Question = Pick<CachedToken, 'proof' | 'dataset' | 'at'>

/** A token for which auth is asked. */
export interface UndecidedToken extends PresentedToken {
  /** The read that did not decide. */
  readonly reading: PendingRead
  readonly seen: Observation
  /** How long the request waits for auth; undefined: until its deadline, since no cache can decide. */
  readonly patienceMs: number | undefined
}

export type Answer = Validation | { readonly kind: 'circuit open' }

interface Parts {
  readonly auth: Pick<AuthClient, 'validate'>
  readonly shared: Pick<SharedTokenCache, 'createProof' | 'store' | 'remove'>
  readonly local: Pick<LocalTokenCache, 'observe' | 'remove'>
  readonly sessions: SessionStates
  readonly seal: Pick<EntrySeal, 'sign'>
  readonly rejected: Pick<RejectedTokens, 'add'>
  readonly times: CacheTimes
}

/** Maximum time that a request with a stale entry waits for auth. A slower call counts as a failure. */
const SLOW_AUTH_MS = 500
const BREAKER = { maxFailures: 3, retryIntervalMs: 1_000 }

/** Asks auth about tokens, and applies its answers to the caches. */
export class TokenValidation {
  private readonly breaker = new CircuitBreaker(BREAKER)

  constructor(private readonly parts: Parts) {}

  get isCircuitOpen(): boolean {
    return this.breaker.isOpen
  }

  /** The proof of the session from before the call to auth; undefined if auth's answer can't be cached. */
  async question(
    token: UndecidedToken,
    before: CacheRead | undefined,
  ): Promise<Question | undefined> {
    const { shared, sessions } = this.parts
    const { sid } = token
    if (sid === undefined || before?.dataset === undefined) return undefined
    const refusedProof = sessions.find(sid)?.refusedProof
    const found = before.session.proof
    if (found !== undefined && found !== refusedProof) return questionOf(before)
    // A refused proof is still there if its deletion was lost.
    if (found !== undefined) shared.remove(sessionKey(sid))
    const creating = shared.createProof({ hash: token.hash, sid })
    const created = await (token.seen.state === 'silent' ? beforeDeadline(creating) : creating.fast)
    return created?.session.proof === refusedProof ? undefined : questionOf(created)
  }

  /** Waits for auth as long as the token's caches require, unless the circuit is open. */
  async ask(token: UndecidedToken, question: Question | undefined): Promise<Answer> {
    const { patienceMs } = token
    if (patienceMs === undefined) return this.validate(token, question)
    if (!this.breaker.allows(performance.now())) return { kind: 'circuit open' }
    const validation = await withTimeout(this.validate(token, question), patienceMs)
    return validation ?? { kind: 'unavailable' }
  }

  /** Calls auth, and applies its answer to the caches even if the request no longer waits for it. */
  private async validate(
    token: UndecidedToken,
    question: Question | undefined,
  ): Promise<Validation> {
    const { request } = token
    const recordFailure = () => this.breaker.recordFailure(performance.now())
    const slowTimer = setTimeout(recordFailure, SLOW_AUTH_MS)
    const calledAt = performance.now()
    const headers = propagationHeaders(request.id, request.headers)
    const validation = await this.parts.auth.validate(token.token, headers)
    clearTimeout(slowTimer)
    if (performance.now() - calledAt < SLOW_AUTH_MS) {
      if (validation.kind === 'unavailable') recordFailure()
      else this.breaker.recordSuccess()
    }
    if (validation.kind === 'valid') this.store(token, validation.claims, question)
    if (validation.kind === 'rejected') {
      void this.refuse(token)
      this.parts.rejected.add(token.hash, request.ip)
    }
    return validation
  }

  private store({ hash, sid }: TokenKey, claims: Claims, question: Question | undefined): void {
    const { seal, shared, times } = this.parts
    const { sub, merchant, scope, exp } = claims
    const lifetimeMs = cacheLifetimeMs(exp, databaseNow(), times)
    if (!question || claims.sid !== sid || lifetimeMs <= 0) return
    const own = merchant === sub ? {} : { merchant }
    const entry: StoredToken = { sub, ...own, sid, scope, exp, ...question }
    shared.store({ hash, sid }, seal.sign(entryKey(hash), entry), lifetimeMs)
  }

  /**
   * Ends the use of the entry of a token that auth has rejected. Only an authentic entry proves that the token
   * belongs to its session, so a forged token can't end a session's proof. Auth is asked again for the other
   * tokens of the session.
   */
  private async refuse({ hash, sid, seen, reading }: UndecidedToken): Promise<void> {
    const { local, sessions, shared } = this.parts
    const isUnread = seen.state === 'silent' && !seen.entry
    const read = isUnread ? await reading.eventual : undefined
    const entry = seen.entry ?? local.observe({ hash, sid }, read).entry
    local.remove(hash)
    if (entry) {
      sessions.of(entry.sid).refusedProof = entry.proof
      shared.remove(entryKey(hash), sessionKey(entry.sid))
    } else if (isUnread && !read) shared.remove(entryKey(hash))
  }
}

function questionOf(read: CacheRead | undefined): Question | undefined {
  const proof = read && proofIn(read)
  return read && proof && { ...proof, at: read.redisNowMs }
}

/** How long a request with a cached token waits for auth: no longer than an answer helps it. */
export function patienceFor({ state, entry }: Observation): number | undefined {
  if (state === 'stale') return SLOW_AUTH_MS
  return state === 'silent' && entry ? RECENT_MS : undefined
}

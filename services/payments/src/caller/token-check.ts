import { databaseNow } from '@malipo/kit/postgres/clock'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import { propagationHeaders } from '@malipo/kit/http/headers'
import type { Request } from '@malipo/kit/http/request'
import { sessionKey } from '@malipo/kit/redis/session-revocation'
import { timeLeftMs } from '@malipo/kit/telemetry/request-context'
import type { AuthClient, Claims, Validation } from './auth-client.js'
import { type CachedToken, cacheLifetimeMs, type CacheTimes } from './cached-token.js'
import { CircuitBreaker } from '@malipo/kit/worker/circuit-breaker'
import type { EntrySeal } from './entry-seal.js'
import type { LocalTokenCache, Observation } from './local-token-cache.js'
import type { RejectedTokens } from './rejected-tokens.js'
import { proofIn } from './session-proof.js'
import type { SessionStates } from './session-states.js'
import {
  type CacheRead,
  entryKey,
  type PendingRead,
  REDIS_TIMEOUT_MS,
  type SharedTokenCache,
  type TokenKey,
} from './shared-token-cache.js'
import {
  accept,
  authState,
  type CheckResult,
  type Decision,
  type Outcome,
  RECENT_MS,
  REJECTED,
  UNAVAILABLE,
  type Verdict,
  VERDICTS,
} from './token-decision.js'
import { claimedSessionId, hashToken } from './unverified-token.js'

/** The request that presents the token. Auth receives its id and trace; its address may be throttled. */
type TokenRequest = Pick<Request, 'id' | 'headers' | 'ip'>

interface TokenCheckParts {
  readonly auth: Pick<AuthClient, 'validate'>
  readonly shared: Pick<SharedTokenCache, 'read' | 'createProof' | 'store' | 'remove'>
  readonly local: LocalTokenCache
  readonly sessions: SessionStates
  readonly seal: Pick<EntrySeal, 'sign'>
  readonly rejected: RejectedTokens
  readonly times: CacheTimes
}

interface PresentedToken extends TokenKey {
  readonly token: string
  readonly request: TokenRequest
}

/** What a new entry takes from the Redis read before the call to auth. */
type Question = Pick<CachedToken, 'proof' | 'dataset' | 'at'>

/** A token for which auth is asked. */
interface UndecidedToken extends PresentedToken {
  /** The read that did not decide. */
  readonly reading: PendingRead
  readonly seen: Observation
  /** How long the request waits for auth; undefined: until its deadline, since no cache can decide. */
  readonly patienceMs: number | undefined
}

type Answer = Validation | { readonly kind: 'circuit open' }

/** Maximum time that a request with a stale entry waits for auth. A slower call counts as a failure. */
const SLOW_AUTH_MS = 500
/** The last read of Redis gets this much even if the request's deadline has passed during the call to auth. */
const LAST_READ_MS = 250
const AUTH_BREAKER = { maxFailures: 3, retryIntervalMs: 1_000 }

/**
 * Validates access tokens. Auth decides; all replicas share its results through Redis. `VERDICTS` lists the
 * decisions, and docs/token-check.md the reasons. Two rules always apply:
 *
 * - A token is rejected only because auth rejected it or published a revocation. If in doubt: 503.
 * - Before a token is accepted, the state of its session is read, after all other waits.
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
    const hash = hashToken(token)
    const identity = this.parts.local.get(hash)
    const { outcome, result } = identity
      ? accept('hit', identity)
      : await this.decideOnce(token, hash, request)
    this.counters[outcome].inc()
    return result
  }

  get isAuthCircuitOpen(): boolean {
    return this.authBreaker.isOpen
  }

  private decideOnce(token: string, hash: string, request: TokenRequest): Promise<Decision> {
    const existing = this.inFlight.get(hash)
    if (existing) return existing
    const sid = this.parts.local.peek(hash)?.sid ?? claimedSessionId(token)
    const decision = this.decide({ token, hash, sid, request }).finally(() =>
      this.inFlight.delete(hash),
    )
    this.inFlight.set(hash, decision)
    return decision
  }

  private async decide(presented: PresentedToken): Promise<Decision> {
    const { shared, local, rejected } = this.parts
    if (this.isRejected(presented)) return REJECTED
    const reading = shared.read(presented)
    let before = await reading.fast
    const seen = local.observe(presented, before)
    const verdict = VERDICTS['not asked'][seen.state]
    if (verdict !== 'ask') return this.conclude(verdict, seen)
    const token = { ...presented, reading, seen, patienceMs: patienceFor(seen) }
    if (token.patienceMs === undefined) {
      const retryAfterSeconds = await rejected.retryAfterSeconds(token.request.ip)
      if (retryAfterSeconds > 0) {
        return { outcome: 'throttled', result: { kind: 'throttled', retryAfterSeconds } }
      }
    }
    const first = await this.decideByAuth(token, before)
    if (before || first.decision !== UNAVAILABLE || !first.isLate) return first.decision
    // Redis and auth were both slow: no proof was read before the call to auth, so the call is repeated.
    before = await within(reading)
    return before ? (await this.decideByAuth(token, before)).decision : UNAVAILABLE
  }

  /** @param before the Redis read before the call to auth */
  private async decideByAuth(token: UndecidedToken, before: CacheRead | undefined) {
    const question = await this.question(token, before)
    const calledAt = performance.now()
    const answer = await this.ask(token, question)
    const after = await this.readAfter(token, answer, calledAt)
    const shown = this.parts.local.observe(token, after, question)
    const state = authState(answer, performance.now() - calledAt)
    const decision = this.conclude(VERDICTS[state][shown.state], shown, answer)
    return { decision, isLate: state === 'late' }
  }

  private isRejected({ hash, sid }: TokenKey): boolean {
    const { rejected, sessions } = this.parts
    if (rejected.has(hash)) return true
    return sid !== undefined && sessions.find(sid)?.revokedAt !== undefined
  }

  /** The proof of the session from before the call to auth; undefined if auth's answer can't be cached. */
  private async question(token: UndecidedToken, before: CacheRead | undefined) {
    const { shared, sessions } = this.parts
    const { sid } = token
    if (sid === undefined || before?.dataset === undefined) return undefined
    const refusedProof = sessions.find(sid)?.refusedProof
    const found = before.session.proof
    if (found !== undefined && found !== refusedProof) return questionOf(before)
    // A refused proof is still there if its deletion was lost.
    if (found !== undefined) shared.remove(sessionKey(sid))
    const creating = shared.createProof({ hash: token.hash, sid })
    const created = await (token.seen.state === 'silent' ? within(creating) : creating.fast)
    return created?.session.proof === refusedProof ? undefined : questionOf(created)
  }

  private async ask(token: UndecidedToken, question: Question | undefined): Promise<Answer> {
    const { patienceMs } = token
    if (patienceMs === undefined) return this.validate(token, question)
    if (!this.authBreaker.allows(performance.now())) return { kind: 'circuit open' }
    const validation = await withTimeout(this.validate(token, question), patienceMs)
    return validation ?? { kind: 'unavailable' }
  }

  /** Calls auth, and applies its answer to the caches even if the request no longer waits for it. */
  private async validate(
    token: UndecidedToken,
    question: Question | undefined,
  ): Promise<Validation> {
    const { request } = token
    const recordFailure = () => this.authBreaker.recordFailure(performance.now())
    const slowTimer = setTimeout(recordFailure, SLOW_AUTH_MS)
    const calledAt = performance.now()
    const headers = propagationHeaders(request.id, request.headers)
    const validation = await this.parts.auth.validate(token.token, headers)
    clearTimeout(slowTimer)
    if (performance.now() - calledAt < SLOW_AUTH_MS) {
      if (validation.kind === 'unavailable') recordFailure()
      else this.authBreaker.recordSuccess()
    }
    if (validation.kind === 'valid') this.store(token, validation.claims, question)
    if (validation.kind === 'rejected') {
      void this.refuse(token)
      await this.parts.rejected.add(token.hash, request.ip)
    }
    return validation
  }

  /** Reads Redis after the answer of auth, unless the answer needs no confirmation. */
  private async readAfter(token: UndecidedToken, answer: Answer, calledAt: number) {
    const isOfSession = answer.kind !== 'valid' || answer.claims.sid === token.sid
    if (answer.kind === 'rejected' || !isOfSession) return undefined
    // There was no wait for auth since the first read.
    if (answer.kind === 'circuit open') return (await token.reading.fast) ?? within(token.reading)
    const pending = this.parts.shared.read(token)
    if (answer.kind === 'unavailable') return within(pending)
    const fast = await pending.fast
    return fast ?? (performance.now() - calledAt < RECENT_MS ? undefined : within(pending))
  }

  private conclude(verdict: Verdict, { identity }: Observation, answer?: Answer): Decision {
    if (verdict === 'rejected') return REJECTED
    const claims = answer?.kind === 'valid' ? answer.claims : undefined
    const caller = identity ?? (claims && this.parts.local.identityOf(claims))
    const isAccepted = verdict === 'hit' || verdict === 'miss' || verdict === 'stale'
    return isAccepted && caller ? accept(verdict, caller) : UNAVAILABLE
  }

  private store({ hash, sid }: TokenKey, claims: Claims, question: Question | undefined): void {
    const { seal, shared, times } = this.parts
    const { sub, scope, exp } = claims
    const lifetimeMs = cacheLifetimeMs(exp, databaseNow(), times)
    if (!question || claims.sid !== sid || lifetimeMs <= 0) return
    const entry: CachedToken = { sub, sid, scope, exp, ...question }
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
function patienceFor({ state, entry }: Observation): number | undefined {
  if (state === 'stale') return SLOW_AUTH_MS
  return state === 'silent' && entry ? RECENT_MS : undefined
}

/** The result of a read, if it arrives before the deadline of the request. */
function within({ eventual }: PendingRead): Promise<CacheRead | undefined> {
  return withTimeout(eventual, Math.max(timeLeftMs(REDIS_TIMEOUT_MS), LAST_READ_MS))
}

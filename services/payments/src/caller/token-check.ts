import { apiKeyMode } from '@malipo/kit/http/api-key'
import type { LocalTokenCache, Observation } from './local-token-cache.js'
import type { RejectedTokens } from './rejected-tokens.js'
import type { SessionStates } from './session-states.js'
import {
  beforeDeadline,
  type CacheRead,
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
import {
  type Answer,
  patienceFor,
  type PresentedToken,
  type TokenRequest,
  type TokenValidation,
  type UndecidedToken,
} from './token-validation.js'
import type { UnknownKeys } from './unknown-keys.js'
import { claimedSessionId, hashToken, isApiKey } from './unverified-token.js'

interface Parts {
  readonly shared: Pick<SharedTokenCache, 'read'>
  readonly local: LocalTokenCache
  readonly sessions: SessionStates
  readonly rejected: RejectedTokens
  readonly unknownKeys: UnknownKeys
  readonly validation: TokenValidation
  /** The mode of the service, which its API keys name. */
  readonly mode: 'sandbox' | 'live'
}

/**
 * Validates access tokens and API keys. Auth decides; all replicas share its results through Redis. `VERDICTS` lists the
 * decisions, and docs/token-check.md the reasons. Two rules always apply:
 *
 * - A token is rejected only because auth rejected it or published a revocation. If in doubt: 503.
 * - Before a token is accepted, the state of its session is read, after all other waits.
 */
export class TokenCheck {
  /** Checks in progress, by token hash. */
  private readonly inFlight = new Map<string, Promise<Decision>>()

  constructor(
    private readonly parts: Parts,
    private readonly counters: Readonly<Record<Outcome, { inc(): void }>>,
  ) {}

  async check(token: string, request: TokenRequest): Promise<CheckResult> {
    if (isApiKey(token) && apiKeyMode(token) !== this.parts.mode) {
      this.counters.rejected.inc()
      return { kind: 'wrong-mode' }
    }
    const hash = hashToken(token)
    const identity = this.parts.local.get(hash)
    const { outcome, result } = identity
      ? accept('hit', identity)
      : await this.decideOnce(token, hash, request)
    this.counters[outcome].inc()
    return result
  }

  get isAuthCircuitOpen(): boolean {
    return this.parts.validation.isCircuitOpen
  }

  private decideOnce(token: string, hash: string, request: TokenRequest): Promise<Decision> {
    const existing = this.inFlight.get(hash)
    if (existing) return existing
    const sid = this.parts.local.peek(hash)?.sid ?? claimedSessionId(token, hash)
    const isKey = isApiKey(token)
    const decision = this.decide({ token, isKey, hash, sid, request }).finally(() =>
      this.inFlight.delete(hash),
    )
    this.inFlight.set(hash, decision)
    return decision
  }

  private async decide(presented: PresentedToken): Promise<Decision> {
    const { local, unknownKeys } = this.parts
    if (this.isRejected(presented)) return REJECTED
    const isUnknownKey = presented.isKey && local.peek(presented.hash) === undefined
    if (!isUnknownKey) return this.decideByRedis(presented)
    // Guesses of a throttled address do not reach Redis either.
    const { ip } = presented.request
    const retryAfterSeconds = await unknownKeys.begin(ip)
    if (retryAfterSeconds > 0) return throttledFor(retryAfterSeconds)
    return this.decideByRedis(presented).finally(() => unknownKeys.end(ip))
  }

  private async decideByRedis(presented: PresentedToken): Promise<Decision> {
    const { shared, local } = this.parts
    const reading = shared.read(presented)
    const before = await reading.fast
    const seen = local.observe(presented, before)
    const verdict = VERDICTS['not asked'][seen.state]
    if (verdict !== 'ask') return this.conclude(verdict, seen)
    const token = { ...presented, reading, seen, patienceMs: patienceFor(seen) }
    if (token.patienceMs === undefined) {
      const retryAfterSeconds = this.parts.rejected.retryAfterSeconds(presented.request.ip)
      if (retryAfterSeconds > 0) return throttledFor(retryAfterSeconds)
    }
    const first = await this.decideByAuth(token, before)
    if (before || first.decision !== UNAVAILABLE || !first.isLate) return first.decision
    // Redis and auth were both slow: no proof was read before the call to auth, so the call is repeated.
    const late = await beforeDeadline(reading)
    return late ? (await this.decideByAuth(token, late)).decision : UNAVAILABLE
  }

  /** @param before the Redis read before the call to auth */
  private async decideByAuth(token: UndecidedToken, before: CacheRead | undefined) {
    const question = await this.parts.validation.question(token, before)
    const calledAt = performance.now()
    const answer = await this.parts.validation.ask(token, question)
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

  /** Reads Redis after the answer of auth, unless the answer needs no confirmation. */
  private async readAfter(token: UndecidedToken, answer: Answer, calledAt: number) {
    const isOfSession = answer.kind !== 'valid' || answer.claims.sid === token.sid
    if (answer.kind === 'rejected' || !isOfSession) return undefined
    // There was no wait for auth since the first read.
    if (answer.kind === 'circuit open') {
      return (await token.reading.fast) ?? beforeDeadline(token.reading)
    }
    const pending = this.parts.shared.read(token)
    if (answer.kind === 'unavailable') return beforeDeadline(pending)
    const fast = await pending.fast
    return fast ?? (performance.now() - calledAt < RECENT_MS ? undefined : beforeDeadline(pending))
  }

  private conclude(verdict: Verdict, { identity }: Observation, answer?: Answer): Decision {
    if (verdict === 'rejected') return REJECTED
    const claims = answer?.kind === 'valid' ? answer.claims : undefined
    const caller = identity ?? (claims && this.parts.local.identityOf(claims))
    const isAccepted = verdict === 'hit' || verdict === 'miss' || verdict === 'stale'
    return isAccepted && caller ? accept(verdict, caller) : UNAVAILABLE
  }
}

/** A 429, since the address has sent too many rejected tokens and keys. */
function throttledFor(retryAfterSeconds: number): Decision {
  return { outcome: 'throttled', result: { kind: 'throttled', retryAfterSeconds } }
}

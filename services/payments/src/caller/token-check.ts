import { withTimeout } from '@malipo/kit/worker/with-timeout'
import { propagationHeaders } from '@malipo/kit/http/request-id'
import type { Request } from '@malipo/kit/http/request'
import type { AuthClient, Claims, Validation } from './auth-client.js'
import type { BadTokens } from './bad-tokens.js'
import { claimedSession, tokenHash } from './bearer.js'
import { Breaker } from './breaker.js'
import { type CacheTimes, type Entry, keptMs } from './entry.js'
import type { Holder, KnownTokens } from './known-tokens.js'
import type { Caller } from './scopes.js'
import type { Sessions } from './sessions.js'
import type { Look, TokenCache } from './token-cache.js'
import type { Outcome } from './token-watch.js'

/**
 * Is this token good, and whose is it? Auth knows; its answer is shared by all replicas through Redis.
 *
 * 1. Only auth refuses, or its mark that the session is over. Doubt is neither yes nor no: 503.
 * 2. An answer is fresh for `TOKEN_CACHE_TTL_MS`. Up to `TOKEN_CACHE_STALE_MS` it counts while auth can't
 *    be asked, as long as Redis says just then that the session isn't revoked. Never in the token's last
 *    30 s, for clocks differ: then auth is asked each time.
 * 3. A yes rests on a mark that was looked for after all waiting. An entry is read together with it. A
 *    yes of auth counts with a look at the mark after it; if Redis can't say, when it took less than
 *    three quarters of a second.
 * 4. What Redis said counts for half a second without it, while announcements of revocations are heard.
 * 5. Of concurrent uses of one token in this replica one asks, and the others wait for its answer.
 * 6. A refusal counts for five seconds. An address that earned many is held up (429), but not with
 *    tokens that are known. Calls to auth are bounded: 503 beyond.
 * 7. Auth slow or away: known tokens wait for it half a second, and not at all once it was so a few
 *    times in a row. Others wait as long as auth may wait for its own database, then 503.
 *
 * docs/token-check.md tells why.
 */
export type Checked =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'refused' }
  | { readonly kind: 'throttled'; readonly retryAfterSeconds: number }
  | { readonly kind: 'unavailable' }

/** The request that brought a token: what auth is told of it, and where it came from. */
export type Bearer = Pick<Request, 'id' | 'headers' | 'ip'>

export interface Parts {
  readonly auth: Pick<AuthClient, 'validate'>
  readonly cache: Pick<TokenCache, 'look' | 'keep'>
  readonly sessions: Sessions
  readonly known: KnownTokens
  readonly bad: BadTokens
  readonly times: CacheTimes
}

interface Asked {
  readonly token: string
  readonly hash: string
  readonly bearer: Bearer
}

interface Decision {
  readonly outcome: Outcome
  readonly checked: Checked
}

/** How long a known token waits for auth before its old answer is used. */
const PATIENCE_MS = 500
/** A yes that took longer says nothing of now, unless Redis says that nothing came between. */
const RECENT_MS = 750
const AUTH_BREAKER = { failures: 3, pauseMs: 1_000 }

const REFUSED: Decision = { outcome: 'refused', checked: { kind: 'refused' } }
const UNAVAILABLE: Decision = { outcome: 'unavailable', checked: { kind: 'unavailable' } }

export class TokenCheck {
  private readonly running = new Map<string, Promise<Decision>>()
  private readonly authBreaker = new Breaker(AUTH_BREAKER)

  constructor(
    private readonly parts: Parts,
    private readonly counts: Readonly<Record<Outcome, { inc(): void }>>,
  ) {}

  /** Whether a token is good, and whose it is. */
  async check(token: string, bearer: Bearer): Promise<Checked> {
    const hash = tokenHash(token)
    const warm = this.parts.known.warm(hash)
    const { outcome, checked } = warm
      ? accept('hit', warm)
      : await this.decideOnce({ token, hash, bearer })
    this.counts[outcome].inc()
    return checked
  }

  /** Whether auth was slow or away a few times in a row. */
  get isAuthLeftAlone(): boolean {
    return this.authBreaker.isOpen
  }

  private decideOnce(asked: Asked): Promise<Decision> {
    const running = this.running.get(asked.hash)
    if (running) return running
    const started = this.decide(asked).finally(() => this.running.delete(asked.hash))
    this.running.set(asked.hash, started)
    return started
  }

  private async decide(asked: Asked): Promise<Decision> {
    const { cache, sessions, known, bad } = this.parts
    const { hash, token, bearer } = asked
    if (bad.isRefused(hash)) return REFUSED
    const sid = known.sessionOf(hash) ?? claimedSession(token)
    if (sid !== undefined && sessions.isOver(sid)) return REFUSED
    const looking = sid === undefined ? undefined : cache.look(hash, sid)
    const look = await looking?.soon
    if (sid !== undefined && look) {
      if (look.revokedAt !== undefined) return this.end(sid, look.revokedAt)
      const recognised = known.recognise(hash, sid, look)
      if (recognised?.use === 'fresh') return accept('hit', recognised.holder)
      if (recognised) return this.askAboutKnown(asked, sid, look)
    }
    const retryAfterSeconds = await bad.waitSeconds(bearer.ip)
    if (retryAfterSeconds > 0) {
      return { outcome: 'throttled', checked: { kind: 'throttled', retryAfterSeconds } }
    }
    return this.askAboutUnknown(asked, sid, look, looking?.late)
  }

  private async askAboutUnknown(
    asked: Asked,
    sid: string | undefined,
    look: Look | undefined,
    late: Promise<Look | undefined> | undefined,
  ): Promise<Decision> {
    const askedAt = performance.now()
    const validation = await this.ask(asked)
    if (validation.kind === 'unavailable' && sid !== undefined) {
      return this.useStale(asked.hash, sid)
    }
    if (look || validation.kind !== 'valid' || isRecent(askedAt)) {
      return this.judge(validation, asked, look, askedAt)
    }
    // Both were slow. What Redis says by now was perhaps not so when auth was asked: it is once more.
    const before = await late
    const again = performance.now()
    return this.judge(
      before ? await this.ask(asked) : validation,
      asked,
      before,
      before ? again : askedAt,
    )
  }

  /** A token whose answer is past its TTL: auth is asked, and the answer used if auth doesn't say. */
  private async askAboutKnown(asked: Asked, sid: string, look: Look): Promise<Decision> {
    const askedAt = performance.now()
    if (!this.authBreaker.admits(askedAt)) return this.accordingTo(look, asked.hash, sid)
    const asking = this.ask(asked)
    const validation = await withTimeout(asking, PATIENCE_MS)
    if (validation && validation.kind !== 'unavailable') {
      return this.judge(validation, asked, look, askedAt)
    }
    if (!validation) {
      this.authBreaker.failed(performance.now())
      void asking.then((late) => late.kind === 'valid' && this.keep(asked.hash, late.claims, look))
    }
    return this.useStale(asked.hash, sid)
  }

  /** Auth can't be asked: what counts is what Redis says now, however long that takes it. */
  private async useStale(hash: string, sid: string): Promise<Decision> {
    return this.accordingTo(await this.parts.cache.look(hash, sid).late, hash, sid)
  }

  private accordingTo(look: Look | undefined, hash: string, sid: string): Decision {
    if (!look) return UNAVAILABLE
    if (look.revokedAt !== undefined) return this.end(sid, look.revokedAt)
    const recognised = this.parts.known.recognise(hash, sid, look)
    return recognised ? accept('stale', recognised.holder) : UNAVAILABLE
  }

  private async ask({ token, hash, bearer }: Asked): Promise<Validation> {
    const askedAt = performance.now()
    const validation = await this.parts.auth.validate(
      token,
      propagationHeaders(bearer.id, bearer.headers),
    )
    const tookMs = performance.now() - askedAt
    if (validation.kind === 'unavailable' || tookMs > PATIENCE_MS) {
      this.authBreaker.failed(performance.now())
    } else this.authBreaker.succeeded()
    if (validation.kind === 'refused') await this.parts.bad.refuse(hash, bearer.ip)
    return validation
  }

  /** `before` is what Redis said before auth was asked. */
  private async judge(
    validation: Validation,
    { hash }: Asked,
    before: Look | undefined,
    askedAt: number,
  ): Promise<Decision> {
    if (validation.kind === 'refused') return REFUSED
    if (validation.kind === 'unavailable') return UNAVAILABLE
    const { claims } = validation
    const { sid } = claims
    const { cache, known } = this.parts
    this.keep(hash, claims, before)
    const looking = cache.look(hash, sid)
    const after = (await looking.soon) ?? (isRecent(askedAt) ? undefined : await looking.late)
    if (after?.revokedAt !== undefined) return this.end(sid, after.revokedAt)
    // In one generation no mark gets lost: the session was not revoked while auth was asked.
    const isSure = after?.generation !== undefined && after.generation === before?.generation
    if (isSure) {
      const kept = known.recognise(hash, sid, after)
      return accept('miss', kept?.holder ?? known.holderOf(claims))
    }
    return isRecent(askedAt) ? accept('miss', known.holderOf(claims)) : UNAVAILABLE
  }

  /** Keeps what auth said as of `before`: with its time, and of its generation. */
  private keep(hash: string, { sub, sid, scope, exp }: Claims, before: Look | undefined): void {
    const livesMs = keptMs(exp, Date.now(), this.parts.times)
    if (before?.generation === undefined || livesMs <= 0) return
    const { nowMs: at, generation } = before
    const entry: Entry = { sub, sid, scope, exp, at, generation }
    this.parts.cache.keep(hash, JSON.stringify(entry), livesMs)
  }

  private end(sid: string, at: number): Decision {
    this.parts.sessions.end(sid, at)
    return REFUSED
  }
}

function isRecent(askedAt: number): boolean {
  return performance.now() - askedAt < RECENT_MS
}

/** An announcement may have come while Redis or auth was waited for: it is the last to be asked. */
function accept(outcome: Outcome, { session, caller }: Holder): Decision {
  if (session.overAt !== undefined) return REFUSED
  session.acceptedAt = Date.now()
  return { outcome, checked: { kind: 'caller', caller } }
}

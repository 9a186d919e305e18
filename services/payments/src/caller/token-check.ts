import type { Pino } from '@malipo/kit/logger'
import type { Redis } from '@malipo/kit/redis'
import { Counter, type Registry } from 'prom-client'
import type { AuthClient, Claims } from './auth-client.js'
import { claimedSession, tokenHash } from './bearer.js'
import type { Caller } from './scopes.js'

/**
 * Is this token good, and whose is it? Auth knows; its answer is shared by all replicas through Redis.
 *
 * - An answer is used without asking again for `TOKEN_CACHE_TTL_MS`, and never past the token's `exp`.
 * - Of concurrent first uses of one token in this replica, one asks and the others wait for its answer.
 * - Redis down: auth is asked each time. Auth down: an answer older than its TTL is used up to
 *   `TOKEN_CACHE_STALE_MS`, as long as Redis says that its session is not revoked; a token without an
 *   answer is neither good nor bad.
 * - Redis knows a token by its SHA-256 only, and keeps of its claims what is needed here.
 */
export type Checked =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unavailable' }

export interface TokenCheckTimes {
  readonly ttlMs: number
  readonly staleMs: number
}

/** What Redis keeps under `token:{sha256}`; `at` is when auth said it, ms since the epoch. */
interface Entry extends Claims {
  readonly at: number
}

type Source = 'hit' | 'miss' | 'stale' | 'refused' | 'unavailable'

export class TokenCheck {
  private readonly running = new Map<string, Promise<Checked>>()
  private readonly checks: Counter<'outcome'>

  constructor(
    private readonly auth: Pick<AuthClient, 'validate'>,
    private readonly redis: Pick<Redis, 'getAll' | 'set'>,
    private readonly times: TokenCheckTimes,
    private readonly watch: { readonly log: Pino; readonly registry: Registry },
  ) {
    this.checks = new Counter({
      name: 'token_checks_total',
      help: 'Token checks by outcome: hit, miss (auth said yes), stale, refused, unavailable',
      labelNames: ['outcome'],
      registers: [watch.registry],
    })
  }

  /** `headers` go on to auth: the request's id and trace. */
  async check(token: string, headers: Record<string, string>): Promise<Checked> {
    const hash = tokenHash(token)
    const running = this.running.get(hash)
    if (running) return running
    const started = this.look(token, hash, headers).finally(() => this.running.delete(hash))
    this.running.set(hash, started)
    return started
  }

  private async look(
    token: string,
    hash: string,
    headers: Record<string, string>,
  ): Promise<Checked> {
    const cached = await this.cached(token, hash)
    const isFresh = cached !== undefined && Date.now() - cached.at < this.times.ttlMs
    if (isFresh) return this.answer('hit', cached)
    const validation = await this.auth.validate(token, headers)
    switch (validation.kind) {
      case 'refused':
        return this.answer('refused')
      case 'valid':
        // The check is answered without waiting for Redis: who comes next may have to ask again.
        void this.keep(hash, validation.claims)
        return this.answer('miss', validation.claims)
      case 'unavailable':
        this.watch.log.warn(
          { why: validation.why, stale: cached !== undefined },
          'auth can’t be asked',
        )
        return cached ? this.answer('stale', cached) : this.answer('unavailable')
    }
  }

  /** What Redis has of a token that is neither over nor revoked nor too old. */
  private async cached(token: string, hash: string): Promise<Entry | undefined> {
    const session = claimedSession(token)
    if (session === undefined) return undefined
    const [text, revoked] = (await this.redis.getAll(`token:${hash}`, `revoked:${session}`)) ?? []
    if (typeof text !== 'string' || revoked !== null) return undefined
    const entry = parseEntry(text)
    if (!entry || isOver(entry)) return undefined
    const ageMs = Date.now() - entry.at
    return ageMs >= 0 && ageMs < this.longestMs ? entry : undefined
  }

  private async keep(hash: string, { sub, sid, scope, exp }: Claims): Promise<void> {
    const at = Date.now()
    const entry: Entry = { sub, sid, scope, exp, at }
    const livesMs = Math.min(this.longestMs, exp * 1000 - at)
    if (livesMs > 0) await this.redis.set(`token:${hash}`, JSON.stringify(entry), livesMs)
  }

  private get longestMs(): number {
    return Math.max(this.times.ttlMs, this.times.staleMs)
  }

  private answer(source: Source, claims?: Claims): Checked {
    this.checks.inc({ outcome: source })
    if (source === 'unavailable') return { kind: 'unavailable' }
    if (!claims || isOver(claims)) return { kind: 'refused' }
    return { kind: 'caller', caller: { id: claims.sub, scopes: new Set(claims.scope.split(' ')) } }
  }
}

/** Redis is shared: what another release wrote there is a miss, not a fault. */
function parseEntry(text: string): Entry | undefined {
  try {
    const entry = JSON.parse(text) as Partial<Entry>
    const texts = [entry.sub, entry.sid, entry.scope].every((claim) => typeof claim === 'string')
    const numbers = [entry.exp, entry.at].every((time) => typeof time === 'number')
    return texts && numbers ? (entry as Entry) : undefined
  } catch {
    return undefined
  }
}

function isOver(claims: Claims): boolean {
  return claims.exp * 1000 <= Date.now()
}

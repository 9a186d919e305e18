import { LOG } from '@malipo/kit/kit.module'
import type { Logger } from '@malipo/kit/telemetry/logger'
import { Redis } from '@malipo/kit/redis/redis'
import { parseRevocationMessage, REVOCATION_CHANNEL } from '@malipo/kit/redis/session-revocation'
import type { Provider } from '@nestjs/common'
import { Registry } from 'prom-client'
import type { Env } from '../env.js'
import { AuthClient } from './auth-client.js'
import { BadTokens } from './bad-tokens.js'
import { CallerGuard } from './caller.guard.js'
import { KnownTokens } from './known-tokens.js'
import { Sessions } from './sessions.js'
import { TokenCache } from './token-cache.js'
import { TokenCheck } from './token-check.js'
import { watchTokens } from './token-watch.js'

/** What is needed to know who is calling. */
export function callerProviders(env: Env): Provider[] {
  return [
    CallerGuard,
    {
      provide: AuthClient,
      inject: [Registry],
      useFactory: (registry: Registry) =>
        new AuthClient(env.AUTH_SERVICE_URL, env.DB_WAIT_MS, registry),
    },
    {
      provide: TokenCheck,
      inject: [AuthClient, Redis, LOG, Registry],
      useFactory: (auth: AuthClient, redis: Redis, log: Logger, registry: Registry) =>
        tokenCheck(env, { auth, redis, log, registry }),
    },
  ]
}

interface Surroundings {
  readonly auth: Pick<AuthClient, 'validate'>
  readonly redis: Redis
  readonly log: Logger
  readonly registry: Registry
}

/** The token check with all that it remembers, hearing auth's announcements. */
export function tokenCheck(
  env: Pick<Env, 'TOKEN_CACHE_TTL_MS' | 'TOKEN_CACHE_STALE_MS'>,
  { auth, redis, log, registry }: Surroundings,
): TokenCheck {
  const times = { ttlMs: env.TOKEN_CACHE_TTL_MS, staleMs: env.TOKEN_CACHE_STALE_MS }
  const sessions = new Sessions()
  const cache = new TokenCache(redis, log.child({ part: 'token-cache' }))
  const announcements = redis.subscribe(
    REVOCATION_CHANNEL,
    (text) => {
      const revocation = parseRevocationMessage(text)
      if (revocation) sessions.end(revocation.sid, revocation.revokedAtMs)
      else known.cool()
    },
    () => known.cool(),
  )
  const known = new KnownTokens(sessions, announcements, times)
  const bad = new BadTokens()
  const counts = watchTokens(registry, {
    get isRedisLeftAlone() {
      return cache.isLeftAlone
    },
    get isAuthLeftAlone() {
      return check.isAuthLeftAlone
    },
    get longestStalenessSeconds() {
      return sessions.longestStalenessSeconds
    },
  })
  const check = new TokenCheck({ auth, cache, sessions, known, bad, times }, counts)
  return check
}

import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { countBy, observableGauge } from '@malipo/kit/telemetry/metrics'
import { Redis } from '@malipo/kit/redis/redis'
import { parseRevocationMessage, REVOCATION_CHANNEL } from '@malipo/kit/redis/session-revocation'
import type { Provider } from '@nestjs/common'
import { Registry } from 'prom-client'
import type { Env } from '../env.js'
import { AuthClient } from './auth-client.js'
import { CallerGuard } from './caller.guard.js'
import { LocalTokenCache } from './local-token-cache.js'
import { RejectedTokens } from './rejected-tokens.js'
import { RevokedSessions } from './revoked-sessions.js'
import { TokenCache } from './token-cache.js'
import { TokenCheck } from './token-check.js'
import { OUTCOMES } from './token-decision.js'

/** The providers that authenticate callers. */
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
        createTokenCheck(env, { auth, redis, log, registry }),
    },
  ]
}

interface Dependencies {
  readonly auth: Pick<AuthClient, 'validate'>
  readonly redis: Redis
  readonly log: Logger
  readonly registry: Registry
}

const CHECKS = {
  name: 'token_checks_total',
  help: 'Token checks by outcome: hit, miss (accepted by auth), stale, rejected, throttled, unavailable',
  label: 'outcome',
}
const BREAKERS = {
  name: 'token_check_breaker_open',
  help: 'Whether the circuit breaker of redis or auth is open after repeated slow or failed calls: 1 or 0',
  labelNames: ['dependency' as const],
}
const STALENESS = {
  name: 'token_revocation_staleness_seconds',
  help: 'Longest delay between a revocation and a later acceptance of its token, since process start',
}

/** Creates the token check with its caches and metrics, and subscribes it to revocations. */
export function createTokenCheck(
  env: Pick<Env, 'TOKEN_CACHE_TTL_MS' | 'TOKEN_CACHE_STALE_MS'>,
  { auth, redis, log, registry }: Dependencies,
): TokenCheck {
  const times = { ttlMs: env.TOKEN_CACHE_TTL_MS, staleMs: env.TOKEN_CACHE_STALE_MS }
  const sessions = new RevokedSessions()
  const shared = new TokenCache(redis, log.child({ part: 'token-cache' }))
  const revocationMessages = redis.subscribe(
    REVOCATION_CHANNEL,
    (message) => {
      const revocation = parseRevocationMessage(message)
      if (revocation) sessions.revoke(revocation.sid, revocation.revokedAtMs)
      else local.clear()
    },
    () => local.clear(),
  )
  const local = new LocalTokenCache(sessions, revocationMessages, times)
  const parts = { auth, shared, local, sessions, rejected: new RejectedTokens(), times }
  const check = new TokenCheck(parts, countBy(registry, CHECKS, OUTCOMES))
  observableGauge(registry, BREAKERS, (gauge) => {
    gauge.set({ dependency: 'redis' }, Number(shared.isOpen))
    gauge.set({ dependency: 'auth' }, Number(check.isAuthCircuitOpen))
  })
  observableGauge(registry, STALENESS, (gauge) => gauge.set(sessions.maxStalenessSeconds))
  return check
}

import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { countBy, observableGauge } from '@malipo/kit/telemetry/metrics'
import { Redis } from '@malipo/kit/redis/redis'
import { parseRevocationMessage, REVOCATION_CHANNEL } from '@malipo/kit/redis/session-revocation'
import { KeyRing } from '@malipo/kit/worker/key-ring'
import { Workers } from '@malipo/kit/worker/workers'
import type { Provider } from '@nestjs/common'
import { Counter, Registry } from 'prom-client'
import type { Env } from '../env.js'
import { AuthClient } from './auth-client.js'
import { AuthHealth } from './auth-health.js'
import { CallerGuard } from './caller.guard.js'
import { EntrySeal } from './entry-seal.js'
import { LocalTokenCache } from './local-token-cache.js'
import { RejectedTokens } from './rejected-tokens.js'
import { SessionStates } from './session-states.js'
import { SharedTokenCache } from './shared-token-cache.js'
import { TokenCheck } from './token-check.js'
import { OUTCOMES } from './token-decision.js'
import { TokenValidation } from './token-validation.js'
import { UnknownKeys } from './unknown-keys.js'

/** The providers that authenticate callers. */
export function callerProviders(env: Env): Provider[] {
  return [
    AuthHealth,
    CallerGuard,
    {
      provide: AuthClient,
      inject: [Registry, LOG],
      useFactory: (registry: Registry, log: Logger) =>
        new AuthClient(env.AUTH_SERVICE_URL, env.DB_WAIT_MS, registry, log.child({ part: 'auth' })),
    },
    {
      provide: TokenCheck,
      inject: [AuthClient, Redis, LOG, Registry, Workers],
      useFactory: (
        auth: AuthClient,
        redis: Redis,
        log: Logger,
        registry: Registry,
        workers: Workers,
      ) => createTokenCheck(env, { auth, redis, log, registry, workers }),
    },
  ]
}

interface Dependencies {
  readonly auth: Pick<AuthClient, 'validate'>
  readonly redis: Redis
  readonly log: Logger
  readonly registry: Registry
  readonly workers: Workers
}

const CHECKS = {
  name: 'token_checks_total',
  help: 'Checks of access tokens and API keys by outcome: hit, miss (accepted by auth), stale, rejected, throttled, unavailable',
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

const FORGERIES = {
  name: 'token_cache_forgeries_total',
  help: 'Token cache entries in Redis that none of TOKEN_CACHE_KEYS_FILE has signed; ignored, so auth validates the token',
}
const KEYS = {
  title: 'token cache keys',
  name: 'token_cache_keys_poll',
  gauge: {
    name: 'token_cache_keys_unreadable',
    help: '1 while TOKEN_CACHE_KEYS_FILE is unreadable and the previous keys stay in use',
  },
  variable: 'TOKEN_CACHE_KEYS_FILE',
}

type CacheEnv = Pick<
  Env,
  'MODE' | 'TOKEN_CACHE_TTL_MS' | 'TOKEN_CACHE_STALE_MS' | 'TOKEN_CACHE_KEYS_FILE'
>

/** Creates the token check with its caches and metrics, and subscribes it to revocations. */
export function createTokenCheck(
  env: CacheEnv,
  { auth, redis, log, registry, workers }: Dependencies,
): TokenCheck {
  const times = { ttlMs: env.TOKEN_CACHE_TTL_MS, staleMs: env.TOKEN_CACHE_STALE_MS }
  const sessions = new SessionStates()
  const onChange = () => local.clear()
  const keys = { ...KEYS, path: env.TOKEN_CACHE_KEYS_FILE, onChange }
  const ring = new KeyRing(keys, log, registry, workers)
  const seal = new EntrySeal(ring, new Counter({ ...FORGERIES, registers: [registry] }))
  const maxLifetimeMs = Math.max(times.ttlMs, times.staleMs)
  const shared = new SharedTokenCache(redis, maxLifetimeMs, log.child({ part: 'token-cache' }))
  const revocationMessages = redis.subscribe(
    REVOCATION_CHANNEL,
    (message) => {
      const revocation = parseRevocationMessage(message)
      if (revocation) sessions.revoke(revocation.sid, revocation.revokedAtMs)
      else local.expire()
    },
    () => local.expire(),
  )
  const local = new LocalTokenCache({ sessions, seal, revocationMessages, times })
  const rejected = new RejectedTokens()
  const caches = { shared, local, sessions, rejected }
  const validation = new TokenValidation({ ...caches, auth, seal, times })
  const unknownKeys = new UnknownKeys(rejected)
  const parts = { ...caches, unknownKeys, validation, mode: env.MODE }
  const check = new TokenCheck(parts, countBy(registry, CHECKS, OUTCOMES))
  const run = () => shared.removePending()
  workers.add({ name: 'refused_token_removal', intervalMs: 1_000, run })
  observableGauge(registry, BREAKERS, (gauge) => {
    gauge.set({ dependency: 'redis' }, Number(shared.isOpen))
    gauge.set({ dependency: 'auth' }, Number(check.isAuthCircuitOpen))
  })
  observableGauge(registry, STALENESS, (gauge) => gauge.set(sessions.maxStalenessSeconds))
  return check
}

import { countBy, observableGauge } from '@malipo/kit/telemetry/metrics'
import type { Registry } from 'prom-client'

/** What became of a check; `throttled` is an address that sent too many bad tokens. */
export const OUTCOMES = ['hit', 'miss', 'stale', 'refused', 'throttled', 'unavailable'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** What is looked at when somebody reads the metrics. */
export interface Watched {
  readonly isRedisLeftAlone: boolean
  readonly isAuthLeftAlone: boolean
  readonly longestStalenessSeconds: number
}

const CHECKS = {
  name: 'token_checks_total',
  help: 'Token checks by outcome: hit, miss (auth said yes), stale, refused, throttled, unavailable',
  label: 'outcome',
}
const BREAKERS = {
  name: 'token_check_breaker_open',
  help: '1 while Redis or auth is left alone because it was slow or away a few times in a row',
  labelNames: ['on' as const],
}
const STALENESS = {
  name: 'token_revocation_staleness_seconds',
  help: 'Longest time since the start by which a token was accepted after its session was revoked',
}

/** The figures of the token check; the counters are its result. */
export function watchTokens(registry: Registry, watched: Watched) {
  observableGauge(registry, BREAKERS, (gauge) => {
    gauge.set({ on: 'redis' }, Number(watched.isRedisLeftAlone))
    gauge.set({ on: 'auth' }, Number(watched.isAuthLeftAlone))
  })
  observableGauge(registry, STALENESS, (gauge) => gauge.set(watched.longestStalenessSeconds))
  return countBy(registry, CHECKS, OUTCOMES)
}

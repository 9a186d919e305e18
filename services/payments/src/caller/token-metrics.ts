import { countBy, observableGauge } from '@malipo/kit/telemetry/metrics'
import type { Registry } from 'prom-client'

/** The outcomes of a check. `throttled`: the address has sent too many rejected tokens. */
export const OUTCOMES = ['hit', 'miss', 'stale', 'rejected', 'throttled', 'unavailable'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** Read on each scrape. */
export interface TokenCheckState {
  readonly isRedisCircuitOpen: boolean
  readonly isAuthCircuitOpen: boolean
  readonly maxStalenessSeconds: number
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

/** Registers the metrics of the token check; returns the counters of its outcomes. */
export function registerTokenMetrics(registry: Registry, state: TokenCheckState) {
  observableGauge(registry, BREAKERS, (gauge) => {
    gauge.set({ dependency: 'redis' }, Number(state.isRedisCircuitOpen))
    gauge.set({ dependency: 'auth' }, Number(state.isAuthCircuitOpen))
  })
  observableGauge(registry, STALENESS, (gauge) => gauge.set(state.maxStalenessSeconds))
  return countBy(registry, CHECKS, OUTCOMES)
}

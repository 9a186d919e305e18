import type { DashboardSpec } from './dashboard.ts'
import { timeSeries, stat, ratio, quantile, rate, RELEASE } from './panels.ts'

/** payments' token check: outcomes, calls to auth, and the state of auth and Redis. */

const valid = rate('token_checks_total', `${RELEASE},outcome=~"hit|stale|miss"`)
const cached = rate('token_checks_total', `${RELEASE},outcome=~"hit|stale"`)

export const tokenCheck: DashboardSpec = {
  uid: 'malipo-token-check',
  title: 'token check',
  description: 'Sources of validation results, and the effects of an outage of auth or Redis.',
  rows: {
    Checks: [
      timeSeries({
        title: 'Token checks by outcome',
        unit: 'cps',
        description:
          'hit: cached. stale: cached, used because auth is unavailable. miss: validated by auth. unavailable: answered 503.',
        queries: { '{{outcome}}': rate('token_checks_total', RELEASE, 'outcome') },
      }),
      timeSeries({
        title: 'Cache hit ratio',
        unit: 'percentunit',
        description: 'Of valid tokens. Short-lived tokens and many users lower it.',
        queries: { cached: ratio(cached, valid) },
      }),
      timeSeries({
        title: 'Duration of calls to auth',
        unit: 's',
        description: 'Median and 99th percentile, by outcome.',
        queries: {
          '{{outcome}} p50': quantile(0.5, 'auth_call_duration_seconds', RELEASE, 'outcome'),
          '{{outcome}} p99': quantile(0.99, 'auth_call_duration_seconds', RELEASE, 'outcome'),
        },
      }),
      timeSeries({
        title: 'Calls to auth in flight',
        unit: 'short',
        description: 'At the limit of 256 per pod, requests with uncached tokens are answered 503.',
        queries: { '{{pod}}': `auth_calls_in_flight{${RELEASE}}` },
      }),
    ],
    Dependencies: [
      stat({
        title: 'Open circuit breakers',
        unit: 'bool',
        description: 'By pod and dependency: 1 while the breaker is open.',
        queries: { '{{dependency}} {{pod}}': `token_check_breaker_open{${RELEASE}}` },
        span: 12,
      }),
      stat({
        title: 'Redis connected',
        unit: 'bool',
        description: 'By pod of payments.',
        queries: { '{{pod}}': `redis_up{${RELEASE},app="payments"}` },
      }),
      stat({
        title: 'Revocation staleness',
        unit: 's',
        description:
          'Maximum time after its revocation at which a token was accepted, since the pod started. The limit is 1 s.',
        queries: { '{{pod}}': `token_revocation_staleness_seconds{${RELEASE}}` },
      }),
    ],
  },
}

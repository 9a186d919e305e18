import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Workers } from '@malipo/kit/worker/workers'
import type { Provider } from '@nestjs/common'
import type { Env } from '../env.js'
import { NewAttempts, SENDING, type Sending } from '../providers/new-attempts.js'
import { ProviderMetrics } from '../providers/client/provider-metrics.js'
import { ProviderAccounts, PROVIDERS_SOURCE } from '../providers/provider-accounts.js'
import { AttemptCalls } from './attempt-calls.js'
import { AttemptCounts } from './attempt-counts.js'
import { AttemptMetrics } from './attempt-metrics.js'
import { CallRunner, PACING, type Pacing } from './call-runner.js'
import { Circuits } from './circuits.js'
import { CLIENT_DEPENDENCIES, Clients } from './clients.js'
import { Conclusions } from './conclusions.service.js'
import { EarlyQueries } from './early-queries.js'
import { Expiry } from './expiry.js'
import { RECOVERY_ID, RecoveryGate } from './recovery-gate.js'

/** What creates attempts and makes the calls to providers. */
export function attemptProviders(env: Env): Provider[] {
  const pacing: Pacing = {
    scale: env.PROVIDER_TIME_SCALE,
    leaseSeconds: env.PROVIDER_LEASE_SECONDS,
    pauseMaxSeconds: env.PROVIDER_PAUSE_MAX_SECONDS,
    queryMaxSeconds: env.PROVIDER_QUERY_MAX_SECONDS,
  }
  return [
    { provide: PROVIDERS_SOURCE, useValue: env.providers },
    { provide: SENDING, useValue: sendingOf(env) },
    { provide: PACING, useValue: pacing },
    { provide: RECOVERY_ID, useValue: env.RECOVERY_ID },
    RecoveryGate,
    ProviderAccounts,
    NewAttempts,
    ProviderMetrics,
    AttemptMetrics,
    Conclusions,
    {
      provide: CLIENT_DEPENDENCIES,
      inject: [LOG, ProviderMetrics, Workers],
      useFactory: (log: Logger, metrics: ProviderMetrics, workers: Workers) => ({
        log,
        metrics,
        workers,
        pauseMaxSeconds: env.PROVIDER_PAUSE_MAX_SECONDS,
      }),
    },
    Clients,
    CallRunner,
    AttemptCalls,
    AttemptCounts,
    Circuits,
    EarlyQueries,
    Expiry,
  ]
}

/** In the sandbox, no phone rings: there are no limits unless they are set. */
function sendingOf({ MODE, PROVIDER_SEND_SECONDS, ...env }: Env): Sending {
  const isSet = env.PAYER_OPEN_MAX ?? env.PAYER_HOURLY_MAX ?? env.MERCHANT_DAILY_MAX
  const limits = {
    payerOpen: env.PAYER_OPEN_MAX ?? 3,
    payerHourly: env.PAYER_HOURLY_MAX ?? 10,
    merchantDaily: env.MERCHANT_DAILY_MAX ?? 2_147_483_647,
  }
  const hasLimits = MODE === 'live' || isSet !== undefined
  return { withinMs: PROVIDER_SEND_SECONDS * 1_000, limits: hasLimits ? limits : undefined }
}

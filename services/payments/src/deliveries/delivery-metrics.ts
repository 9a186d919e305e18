import { databaseNow } from '@malipo/kit/postgres/clock'
import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Histogram, Registry } from 'prom-client'
import { TRY_ERRORS, type TryError } from '../egress/try-result.js'
import type { ClaimedDelivery } from './claim.store.js'
import type { DeliveryState } from './states.js'
import { type TryVerdict, UNREADABLE_SECRET } from './try-verdict.js'

const OUTCOMES = [
  'delivered',
  'rejected',
  'failed',
  'gone',
  'unsigned',
  'released',
  'error',
] as const

/** Metrics of this replica's tries since it started. */
@Injectable()
export class DeliveryMetrics {
  readonly tries
  private readonly failures
  private readonly ended
  private readonly lag: Histogram
  private readonly duration: Histogram

  constructor(@Inject(Registry) registry: Registry) {
    const registers = [registry]
    const tries = {
      name: 'delivery_tries_total',
      help: 'Tries to deliver a notification by outcome: delivered (2xx), rejected (another status), failed (no answer), gone (410), unsigned (unreadable secrets), released (not made, or ended by a shutdown), error (the result was not stored)',
      label: 'outcome',
    }
    this.tries = countBy(registry, tries, OUTCOMES)
    const failures = {
      name: 'delivery_try_failures_total',
      help: 'Tries to deliver a notification without an answer, by error: invalid_url, forbidden_address, dns, connect, tls, timeout, reset, invalid_answer',
      label: 'error',
    }
    this.failures = countBy(registry, failures, Object.keys(TRY_ERRORS) as TryError[])
    const ended = {
      name: 'deliveries_ended_total',
      help: 'Deliveries that ended by state: delivered, failed (after the last try, or by 410)',
      label: 'state',
    }
    this.ended = countBy(registry, ended, ['delivered', 'failed'])
    this.lag = new Histogram({
      name: 'delivery_lag_seconds',
      help: 'Time from the change of a payment to the first 2xx of an endpoint, of deliveries whose first try succeeded',
      buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
      registers,
    })
    this.duration = new Histogram({
      name: 'delivery_try_duration_seconds',
      help: 'Duration of a try to deliver a notification',
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 20],
      registers,
    })
  }

  record(
    { outcome, status, error, tookMs }: TryVerdict,
    { tries, resendId, occurredAt }: Pick<ClaimedDelivery, 'tries' | 'resendId' | 'occurredAt'>,
    state: DeliveryState | undefined,
  ) {
    const isRejected = outcome === 'failed' && status !== undefined
    const isUnsigned = error === UNREADABLE_SECRET
    this.tries[isUnsigned ? 'unsigned' : isRejected ? 'rejected' : outcome].inc()
    if (!isUnsigned) this.duration.observe(tookMs / 1_000)
    if (error !== undefined && error in TRY_ERRORS) this.failures[error as TryError].inc()
    if (state === 'delivered' && outcome === 'delivered') {
      this.ended.delivered.inc()
      const isFirst = tries === 1 && resendId === null
      if (isFirst) this.lag.observe(Math.max(0, databaseNow() - Date.parse(occurredAt)) / 1_000)
    } else if (state === 'failed') this.ended.failed.inc()
  }
}

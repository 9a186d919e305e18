import { Database } from '@malipo/kit/postgres/database'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { PolledValue } from '@malipo/kit/worker/polled-value'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { type AttemptCounts as Counts, readAttemptCounts } from './attempt-counts.store.js'

/**
 * Reports how many attempts are open or need an operator, from the database. Every replica reports the same values:
 * aggregate them with max, not sum.
 */
@Injectable()
export class AttemptCounts {
  private readonly counts: PolledValue<Counts>

  constructor(
    @Inject(Database) database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(Registry) private readonly registry: Registry,
  ) {
    this.counts = new PolledValue(workers, 'attempt_counts_read', () =>
      database.read(readAttemptCounts),
    )
    this.register()
  }

  private register(): void {
    const { registry } = this
    const open = {
      name: 'attempts_open',
      help: 'Attempts that have not ended, by account and state, at most 10000 of an account',
      labelNames: ['account' as const, 'state' as const],
    }
    observableGauge(registry, open, (gauge) => {
      gauge.reset()
      for (const { account, state, count } of this.counts.value?.open ?? []) {
        gauge.set({ account, state }, count)
      }
    })
    const attention = {
      name: 'attempts_needing_attention',
      help: 'Attempts that need an operator, by account and reason, of the newest 10000',
      labelNames: ['account' as const, 'reason' as const],
    }
    observableGauge(registry, attention, (gauge) => {
      gauge.reset()
      for (const { account, reason, count } of this.counts.value?.attention ?? []) {
        gauge.set({ account, reason }, count)
      }
    })
    const oldestDue = {
      name: 'attempts_oldest_due_seconds',
      help: 'Longest time that a call has been due without being made, by account and call: send, query; 0 if none is due',
      labelNames: ['account' as const, 'call' as const],
    }
    observableGauge(registry, oldestDue, (gauge) => {
      gauge.reset()
      for (const { account, call, seconds } of this.counts.value?.oldestDue ?? []) {
        gauge.set({ account, call }, Number(seconds))
      }
    })
  }
}

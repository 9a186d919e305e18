import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Counter, Histogram, Registry } from 'prom-client'
import type { Outcome } from '../idempotency/idempotency.js'
import { PROBLEMS } from '../problems.js'
import { MANUAL } from '../providers/accounts.js'
import { ProviderAccounts } from '../providers/provider-accounts.js'
import { CAUSES, type Cause } from './payment-event.entity.js'
import type { Payment } from './payment.entity.js'
import { isTerminal, STATUSES } from './transitions.js'

/** Buckets in seconds. A mobile wallet settles a payment within seconds, a bank within days. */
const DURATION_BUCKETS = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800]

/** Metrics of transitions since the process started. Sums of money come from the database (`totals/`). */
@Injectable()
export class PaymentMetrics {
  private readonly rejected
  private readonly transitions: Counter<'status' | 'cause'>
  private readonly duration: Histogram<'status' | 'account'>

  constructor(
    @Inject(Registry) registry: Registry,
    @Inject(ProviderAccounts) accounts: ProviderAccounts,
  ) {
    this.transitions = new Counter({
      name: 'payment_transitions_total',
      help: 'Transitions by new status and cause: create, status, webhook, attempt',
      labelNames: ['status', 'cause'],
      registers: [registry],
    })
    for (const status of STATUSES) {
      for (const cause of CAUSES) this.transitions.inc({ status, cause }, 0)
    }
    this.duration = new Histogram({
      name: 'payment_duration_seconds',
      help: 'Time from creation to a terminal status, by status and account (manual without a provider)',
      labelNames: ['status', 'account'],
      buckets: DURATION_BUCKETS,
      registers: [registry],
    })
    this.exportDurations(accounts)
    const rejected = {
      name: 'payment_transitions_rejected_total',
      help: 'Rejected transitions by reason: not_allowed, version_changed (If-Match)',
      label: 'reason',
    }
    this.rejected = countBy(registry, rejected, ['not_allowed', 'version_changed'])
  }

  /** Counts an outcome. A replay is not counted, since its first response was. */
  recordOutcome(outcome: Outcome<Payment>, cause: Cause) {
    if (outcome.replayed) return
    if ('resource' in outcome) this.recordTransition(outcome.resource, cause)
    else if (outcome.problem.kind === PROBLEMS.transition) this.rejected.not_allowed.inc()
    else if (outcome.problem.kind === PROBLEMS.versionChanged) this.rejected.version_changed.inc()
  }

  recordTransition(
    payment: Pick<Payment, 'status' | 'account' | 'createdAt' | 'updatedAt'>,
    cause: Cause,
  ) {
    const { status, createdAt, updatedAt } = payment
    const account = payment.account ?? MANUAL
    this.transitions.inc({ status, cause })
    if (!isTerminal(status)) return
    // The clocks of two replicas may differ, so the difference may be negative.
    const durationMs = Math.max(0, Date.parse(updatedAt) - Date.parse(createdAt))
    this.duration.observe({ status, account }, durationMs / 1000)
  }

  /** Exports the series of every account before its first payment, because `rate()` misses an increment that creates one. */
  private exportDurations(accounts: ProviderAccounts) {
    const exported = new Set<string>()
    const exportOf = (account: string) => {
      // `zero` would reset the series.
      if (exported.has(account)) return
      exported.add(account)
      for (const status of STATUSES) if (isTerminal(status)) this.duration.zero({ status, account })
    }
    exportOf(MANUAL)
    accounts.onChange((all) => {
      for (const { name } of all) exportOf(name)
    })
  }
}

import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Counter, Histogram, Registry } from 'prom-client'
import type { Outcome } from '../idempotency/idempotency.js'
import { PROBLEMS } from '../problems.js'
import { CAUSES, type Cause } from './payment-event.entity.js'
import type { Payment } from './payment.entity.js'
import { isTerminal, STATUSES } from './transitions.js'

/**
 * What this process did to payments, counted since its start. Sums of money are not counted here but by the
 * database (`totals/`), which outlives processes and knows what was committed.
 */

/** Seconds from its beginning to a payment’s end: a wallet answers in seconds, a bank in days. */
const LIFE_BUCKETS = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800]

@Injectable()
export class PaymentMetrics {
  private readonly refused
  private readonly entered: Counter<'status' | 'cause'>
  private readonly life: Histogram<'status'>

  constructor(@Inject(Registry) registry: Registry) {
    const registers = [registry]
    this.entered = new Counter({
      name: 'payment_transitions_total',
      help: 'Payments that this process moved, by the status they came into and the cause: create, status, webhook',
      labelNames: ['status', 'cause'],
      registers,
    })
    for (const status of STATUSES) {
      for (const cause of CAUSES) this.entered.inc({ status, cause }, 0)
    }
    this.life = new Histogram({
      name: 'payment_duration_seconds',
      help: 'Time from a payment’s beginning to its end, told by the process that ended it',
      labelNames: ['status'],
      buckets: LIFE_BUCKETS,
      registers,
    })
    for (const status of STATUSES) if (isTerminal(status)) this.life.zero({ status })
    const refused = {
      name: 'payment_transitions_refused_total',
      help: 'Changes of status that were refused: not_allowed by the table of transitions, or at another version than If-Match names',
      label: 'reason',
    }
    this.refused = countBy(registry, refused, ['not_allowed', 'version_changed'])
  }

  /** A request came out so; what was answered before was counted before. */
  became(outcome: Outcome, cause: Cause) {
    if (outcome.replayed) return
    if ('payment' in outcome) this.moved(outcome.payment, cause)
    else if (outcome.problem.kind === PROBLEMS.transition) this.refused.not_allowed.inc()
    else if (outcome.problem.kind === PROBLEMS.versionChanged) this.refused.version_changed.inc()
  }

  /** A request of ours made this change. */
  moved(payment: Pick<Payment, 'status' | 'createdAt' | 'updatedAt'>, cause: Cause) {
    const { status, createdAt, updatedAt } = payment
    this.entered.inc({ status, cause })
    if (isTerminal(status)) this.life.observe({ status }, secondsBetween(createdAt, updatedAt))
  }
}

/** Clocks of several machines wrote these. */
function secondsBetween(from: string, to: string): number {
  return Math.max(0, Date.parse(to) - Date.parse(from)) / 1000
}

import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Counter, Registry } from 'prom-client'
import { ProviderAccounts } from '../providers/provider-accounts.js'
import type { Concluded, Conclusion } from './conclusion.js'
import {
  type AttemptCause,
  type AttemptState,
  ATTENTIONS,
  type Attention,
  isClosed,
} from './states.js'

/** The causes that end an attempt, each with the states in which it may end. */
const ENDS = {
  response: ['declined', 'not_sent'],
  query: ['succeeded', 'declined'],
  callback: ['succeeded', 'declined'],
  webhook: ['succeeded', 'declined'],
  expiry: ['not_sent'],
  operator: ['succeeded', 'declined', 'not_sent'],
} as const satisfies Partial<Record<AttemptCause, readonly AttemptState[]>>

/** Metrics of attempts since the process started. */
@Injectable()
export class AttemptMetrics {
  private readonly concluded: Counter<'account' | 'state' | 'cause'>
  private readonly flagged
  readonly leases

  constructor(
    @Inject(Registry) registry: Registry,
    @Inject(ProviderAccounts) accounts: ProviderAccounts,
  ) {
    this.concluded = new Counter({
      name: 'attempts_concluded_total',
      help: 'Ended attempts by account, final state and cause: response, query, callback, webhook, expiry, operator',
      labelNames: ['account', 'state', 'cause'],
      registers: [registry],
    })
    // `rate()` misses an increment that creates a series.
    accounts.onChange((all) => {
      for (const { name: account } of all) {
        for (const [cause, states] of Object.entries(ENDS)) {
          for (const state of states) this.concluded.inc({ account, state, cause }, 0)
        }
      }
    })
    const attention = {
      name: 'attempts_flagged_total',
      help: 'Attempts that need an operator, by reason',
      label: 'reason',
    }
    this.flagged = countBy(registry, attention, Object.keys(ATTENTIONS) as Attention[])
    const leases = {
      name: 'attempt_leases_total',
      help: 'Claimed calls by result: made, returned (the replica was late and made no call), failed (the result was not stored)',
      label: 'result',
    }
    this.leases = countBy(registry, leases, ['made', 'returned', 'failed'])
  }

  recordConclusion(
    account: string,
    { cause, attention }: Pick<Conclusion, 'cause' | 'attention'>,
    { outcome, state, payment }: Concluded,
  ) {
    const isFlagged = payment?.needsAttention === true
    if (isFlag(outcome)) this.flagged[outcome].inc()
    else if (attention !== undefined && isFlagged) this.flagged[attention].inc()
    if (outcome === 'applied' && isClosed(state)) this.concluded.inc({ account, state, cause })
  }
}

/** Whether an outcome is the reason of an attention. */
function isFlag(outcome: Concluded['outcome']): outcome is Concluded['outcome'] & Attention {
  return outcome in ATTENTIONS
}

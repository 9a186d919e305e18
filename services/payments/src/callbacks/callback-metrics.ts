import { Inject, Injectable } from '@nestjs/common'
import { Counter, Registry } from 'prom-client'
import { CALLBACK_ACCOUNTS, type CallbackAccounts } from './callback-accounts.js'

const OUTCOMES = {
  /** Answered with 200. */
  accepted: ['stored', 'repeated', 'parked', 'too_many'],
  /** Answered with 404; `overloaded` with 503. */
  rejected: ['wrong_url', 'bad_nonce', 'bad_signature', 'unknown_attempt', 'overloaded'],
} as const
const OF_ACCOUNTS = Object.values(OUTCOMES).flat()

export type CallbackOutcome = (typeof OF_ACCOUNTS)[number]

/** The label of all unknown accounts: no name of an account has a bracket. */
const UNKNOWN = '(unknown)'

/** Counts callbacks by account and outcome. A client can't create a series. */
@Injectable()
export class CallbackMetrics {
  private readonly counter: Counter<'account' | 'outcome'>

  constructor(
    @Inject(Registry) registry: Registry,
    @Inject(CALLBACK_ACCOUNTS) accounts: CallbackAccounts,
  ) {
    this.counter = new Counter({
      name: 'callbacks_total',
      help: 'Callbacks by account and outcome. 2xx: stored, repeated, parked (of no known attempt), too_many (dropped). Rejected: unknown_account, wrong_url, bad_nonce, bad_signature, unknown_attempt, overloaded',
      labelNames: ['account', 'outcome'],
      registers: [registry],
      // `rate()` misses an increment that creates a series, and accounts are added while the service runs.
      collect() {
        for (const account of accounts.names()) {
          for (const outcome of OF_ACCOUNTS) this.inc({ account, outcome }, 0)
        }
      },
    })
    this.counter.inc({ account: UNKNOWN, outcome: 'unknown_account' }, 0)
  }

  /** @param account a known one */
  count(account: string, outcome: CallbackOutcome) {
    this.counter.inc({ account, outcome })
  }

  countUnknown() {
    this.counter.inc({ account: UNKNOWN, outcome: 'unknown_account' })
  }
}

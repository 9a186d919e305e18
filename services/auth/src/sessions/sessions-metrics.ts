import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { OutcomeCounter } from '../outcome-counter.js'

@Injectable()
export class SessionsMetrics {
  readonly logins
  readonly refreshes

  constructor(@Inject(Registry) registry: Registry) {
    const logins = { name: 'logins_total', help: 'Logins by outcome' }
    this.logins = new OutcomeCounter(registry, logins, ['ok', 'wrong', 'throttled', 'failed'])
    const refreshes = { name: 'refreshes_total', help: 'Refreshes by outcome' }
    this.refreshes = new OutcomeCounter(registry, refreshes, [
      'rotated',
      'repeated',
      'reused',
      'rejected',
      'throttled',
      'failed',
    ])
  }
}

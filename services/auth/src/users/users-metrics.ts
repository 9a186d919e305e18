import { Inject, Injectable } from '@nestjs/common'
import { Counter, Registry } from 'prom-client'
import { OutcomeCounter } from '../outcome-counter.js'

@Injectable()
export class UsersMetrics {
  readonly registrations
  readonly scopeChanges: Counter

  constructor(@Inject(Registry) registry: Registry) {
    const registrations = { name: 'registrations_total', help: 'Registrations by outcome' }
    this.registrations = new OutcomeCounter(registry, registrations, [
      'created',
      'taken',
      'throttled',
      'failed',
    ])
    this.scopeChanges = new Counter({
      name: 'scope_changes_total',
      help: 'Changes of a user’s scopes by operators',
      registers: [registry],
    })
  }
}

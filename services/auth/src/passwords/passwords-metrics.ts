import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { OutcomeCounter } from '../outcome-counter.js'

@Injectable()
export class PasswordsMetrics {
  readonly changes

  constructor(@Inject(Registry) registry: Registry) {
    const changes = { name: 'password_changes_total', help: 'Password changes by outcome' }
    this.changes = new OutcomeCounter(registry, changes, [
      'changed',
      'wrong',
      'throttled',
      'failed',
    ])
  }
}

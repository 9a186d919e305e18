import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'

const OUTCOMES = [
  'applied',
  'superseded',
  'duplicate',
  'premature',
  'conflict',
  'unknown_payment',
  'bad_signature',
] as const

const HELP =
  'Webhooks by outcome. 2xx: applied, superseded, duplicate. Rejected: premature, conflict (reused id), unknown_payment, bad_signature'

@Injectable()
export class WebhookMetrics {
  /** One counter for each outcome. */
  readonly outcomes

  constructor(@Inject(Registry) registry: Registry) {
    const webhooks = { name: 'webhooks_total', help: HELP, label: 'outcome' }
    this.outcomes = countBy(registry, webhooks, OUTCOMES)
  }
}

import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'

/** What became of webhooks, counted since this process started. */
const OUTCOMES = [
  'applied',
  'superseded',
  'repeat',
  'early',
  'conflict',
  'unknown',
  'bad_signature',
] as const

const HELP =
  'Webhooks by outcome: applied; superseded (kept, its status was passed); repeat; early (refused, comes again); conflict (refused, the id of another); unknown (no such payment); bad_signature (refused)'

@Injectable()
export class WebhookMetrics {
  /** One counter an outcome. */
  readonly outcomes

  constructor(@Inject(Registry) registry: Registry) {
    const webhooks = { name: 'webhooks_total', help: HELP, label: 'outcome' }
    this.outcomes = countBy(registry, webhooks, OUTCOMES)
  }
}

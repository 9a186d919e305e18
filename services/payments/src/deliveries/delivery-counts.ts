import { Database } from '@malipo/kit/postgres/database'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { PolledValue } from '@malipo/kit/worker/polled-value'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import {
  type DeliveryCounts as Counts,
  ENDPOINTS_BY_TRIES,
  PENDING_STATES,
  readDeliveryCounts,
} from './delivery-counts.store.js'

/**
 * Reports pending deliveries and webhook endpoints, from the database. Every replica reports the same values: aggregate
 * them with max, not sum. No series names a merchant or an endpoint, so that their number does not grow.
 */
@Injectable()
export class DeliveryCounts {
  private readonly counts: PolledValue<Counts>

  constructor(
    @Inject(Database) database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(Registry) private readonly registry: Registry,
  ) {
    this.counts = new PolledValue(workers, 'delivery_counts_read', () =>
      database.read(readDeliveryCounts),
    )
    this.registerDeliveries()
    this.registerEndpoints()
  }

  private registerDeliveries(): void {
    const pending = {
      name: 'deliveries_pending',
      help: 'Deliveries that have not ended, of at most 100000, by state: due, under_way, scheduled (a later try), paused (due, but the circuit of the endpoint is open), disabled (the endpoint is disabled)',
      labelNames: ['state' as const],
    }
    observableGauge(this.registry, pending, (gauge) => {
      gauge.reset()
      const counts = this.counts.value
      if (!counts) return
      for (const state of PENDING_STATES) gauge.set({ state }, 0)
      for (const { state, count } of counts.pending) gauge.set({ state }, count)
    })
    const oldestDue = {
      name: 'deliveries_oldest_due_seconds',
      help: 'Longest time that a delivery to an enabled endpoint with a closed circuit has been due, by whether a replica makes a try at that endpoint now: idle, busy; 0 if none is due',
      labelNames: ['endpoints' as const],
    }
    observableGauge(this.registry, oldestDue, (gauge) => {
      gauge.reset()
      const counts = this.counts.value
      if (!counts) return
      for (const endpoints of ENDPOINTS_BY_TRIES) gauge.set({ endpoints }, 0)
      for (const { endpoints, seconds } of counts.oldestDue) {
        gauge.set({ endpoints }, Number(seconds))
      }
    })
  }

  private registerEndpoints(): void {
    const endpoints = {
      name: 'webhook_endpoints',
      help: 'Webhook endpoints by state, at most 10000 of each: enabled, disabled_by_merchant, disabled_gone (by 410), disabled_failing (after five days)',
      labelNames: ['state' as const],
    }
    observableGauge(this.registry, endpoints, (gauge) => {
      gauge.reset()
      for (const { state, count } of this.counts.value?.endpoints ?? []) gauge.set({ state }, count)
    })
    const failing = {
      name: 'webhook_endpoints_failing',
      help: 'Enabled webhook endpoints without a 2xx since a failed try, at most 10000, by circuit: closed, open (after five failures in a row)',
      labelNames: ['circuit' as const],
    }
    observableGauge(this.registry, failing, (gauge) => {
      gauge.reset()
      const counted = this.counts.value?.failing
      if (!counted) return
      gauge.set({ circuit: 'closed' }, counted.closed)
      gauge.set({ circuit: 'open' }, counted.open)
    })
    const merchants = {
      name: 'webhook_merchants_failing',
      help: 'Merchants with an enabled webhook endpoint that began to fail within the last 24 hours',
    }
    observableGauge(this.registry, merchants, (gauge) => {
      // A `reset` would set a gauge without labels to 0 instead of removing its series.
      gauge.remove()
      const counted = this.counts.value?.failing
      if (counted) gauge.set(counted.merchants)
    })
  }
}

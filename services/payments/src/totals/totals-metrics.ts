import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { Counter, type Registry } from 'prom-client'
import type { Snapshot } from './snapshot.store.js'

/**
 * Registers the metrics of the payment totals. On each scrape, they report the last snapshot. Every replica
 * reports the same values: aggregate them with max, not sum. Without a snapshot, the series are absent.
 */
export function registerTotals(registry: Registry, lastSnapshot: () => Snapshot | undefined) {
  const total = (name: string, help: string, field: 'entered' | 'amountMinor') =>
    new Counter({
      name,
      help,
      labelNames: ['status', 'method', 'currency'],
      registers: [registry],
      collect() {
        this.reset()
        for (const { status, method, currency, [field]: value } of lastSnapshot()?.totals ?? []) {
          this.inc({ status, method, currency }, Number(value))
        }
      },
    })
  total(
    'payments_entered_total',
    'Payments that have entered each status; subtract those that have entered a following status for the current number',
    'entered',
  )
  total(
    'payments_entered_amount_minor_total',
    'Amounts of the payments that have entered each status, in minor units of the currency (ISO 4217). The table payment_totals is exact; a sample is a float',
    'amountMinor',
  )
  const openCounts = {
    name: 'payments_open',
    help: 'Open payments by time in their status, at most 10000: from 5m to 1h, 1h to 1d, over 1d',
    labelNames: ['status' as const, 'age' as const],
  }
  observableGauge(registry, openCounts, (gauge) => {
    gauge.reset()
    for (const { status, age, count } of lastSnapshot()?.openCounts ?? []) {
      gauge.set({ status, age }, count)
    }
  })
  const oldestOpen = {
    name: 'payments_open_oldest_seconds',
    help: 'Longest time that an open payment has been in its status; 0 without open payments',
    labelNames: ['status' as const],
  }
  observableGauge(registry, oldestOpen, (gauge) => {
    gauge.reset()
    for (const { status, seconds } of lastSnapshot()?.oldestOpen ?? []) {
      gauge.set({ status }, Number(seconds))
    }
  })
  const lag = {
    name: 'payment_totals_lag_seconds',
    help: 'Age of the oldest event not yet in the totals; 0 if there is none; infinite if the tables come from another server',
  }
  observableGauge(registry, lag, (gauge) => {
    // A `reset` would set a gauge without labels to 0 instead of removing its series.
    gauge.remove()
    const snapshot = lastSnapshot()
    if (snapshot) gauge.set(snapshot.lagSeconds)
  })
}

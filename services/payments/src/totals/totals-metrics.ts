import { Counter, Gauge, type Registry } from 'prom-client'
import type { Lag, Oldest, Open, Total } from './figures.store.js'

/** What one replica, the one that leads, tells of the whole database. */
export interface Figures {
  readonly totals: readonly Total[]
  readonly open: readonly Open[]
  readonly oldest: readonly Oldest[]
  readonly lag: readonly Lag[]
}

/** What each is, for Prometheus, whoever tells it. */
export const HELP = {
  payments_entered_total:
    'Payments that ever came into a status; how many are in it now is this less those that came into the statuses after it',
  payments_entered_amount_minor_total:
    'Their amounts in minor units of the currency (ISO 4217: cents; whole shillings for UGX). Exact in the table payment_totals; a sample is a float',
  payments_open:
    'Payments in a status that is not the last, at most 10000, for at least this age and less than the next: 5m, 1h, 1d',
  payments_open_oldest_seconds:
    'How long the payment has been in its status that has been longest, 0 when there is none',
  payment_totals_lag_seconds:
    'Age of the oldest change that the totals lack, 0 when they lack none; infinite when the tables are a copy of another server’s',
} as const

type Name = keyof typeof HELP
type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]

const entered = ({ status, method, currency }: Total) => ({ status, method, currency })

/** The samples of each metric, of what is told. */
const SAMPLES: Readonly<Record<Name, (figures: Figures) => Sample[]>> = {
  payments_entered_total: ({ totals }) =>
    totals.map((row) => [entered(row), Number(row.total)] as const),
  payments_entered_amount_minor_total: ({ totals }) =>
    totals.map((row) => [entered(row), Number(row.amount_minor_total)] as const),
  payments_open: ({ open }) =>
    open.map(({ status, age, open: n }) => [{ status, age }, n] as const),
  payments_open_oldest_seconds: ({ oldest }) =>
    oldest.map(({ status, seconds }) => [{ status }, seconds] as const),
  payment_totals_lag_seconds: ({ lag }) => lag.map((row) => [{}, row.lag_seconds] as const),
}

/** Registers the metrics of totals; `look` gives undefined where another replica tells them. */
export function tellTotals(registry: Registry, look: () => Figures | undefined) {
  const about = (name: Name, labelNames: string[]) => ({
    name,
    help: HELP[name],
    labelNames,
    registers: [registry],
  })
  const samples = (name: Name): Sample[] => {
    const figures = look()
    return figures ? SAMPLES[name](figures) : []
  }
  const total = (name: Name, labelNames: string[]) =>
    new Counter({
      ...about(name, labelNames),
      collect() {
        this.reset()
        for (const [labels, value] of samples(name)) this.inc(labels, value)
      },
    })
  const gauge = (name: Name, labelNames: string[]) =>
    new Gauge({
      ...about(name, labelNames),
      collect() {
        // A reset sets a gauge without labels to 0, and all replicas would tell that.
        if (labelNames.length > 0) this.reset()
        else this.remove()
        for (const [labels, value] of samples(name)) this.set(labels, value)
      },
    })
  total('payments_entered_total', ['status', 'method', 'currency'])
  total('payments_entered_amount_minor_total', ['status', 'method', 'currency'])
  gauge('payments_open', ['status', 'age'])
  gauge('payments_open_oldest_seconds', ['status'])
  gauge('payment_totals_lag_seconds', [])
}

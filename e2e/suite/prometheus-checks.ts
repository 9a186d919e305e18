import { eventually } from '../cluster.ts'
import { labelValues, query, rulesOf } from '../prometheus.ts'
import { seriesOf } from './monitored-release.ts'
import type { Platform } from './platform.ts'

/** Assertions on targets, rules, alerts and payment totals in Prometheus. */

/** Metrics of exporters that a cluster may lack; their rules are tested only by promtool. */
const OPTIONAL_METRICS = /^(kube_|kubelet_|certmanager_)/
/** Metrics that have series only with provider accounts, which a release may lack. */
const METRICS_OF_ACCOUNTS = /^(provider_(?!accounts_)|attempts_|callbacks_total$)/
const MIN_ALERTS = 20

const EXPECTED_TARGETS = [
  'auth database: 1',
  'auth service: 2',
  'payments database: 1',
  'payments service: 2',
]

export async function assertTargetsUp(platform: Platform): Promise<void> {
  await eventually(
    'all targets',
    async () => {
      const found = await query(`sum by (app, component) (up{${seriesOf(platform)}})`)
      const up = found.map(
        ({ metric, values }) => `${metric.app} ${metric.component}: ${values[0]?.[1]}`,
      )
      if (up.toSorted().join() !== EXPECTED_TARGETS.join()) throw new Error(up.join())
    },
    { limitMs: 120_000 },
  )
}

export async function assertRulesHealthy({ namespace }: Platform): Promise<string> {
  const rules = await rulesOf(namespace.name)
  const alerts = rules.filter(({ type }) => type === 'alerting')
  if (alerts.length < MIN_ALERTS) throw new Error(`${alerts.length} alerts`)
  const failed = rules.filter(({ health }) => health !== 'ok')
  if (failed.length > 0) {
    throw new Error(failed.map((rule) => `${rule.name}: ${rule.lastError}`).join('\n'))
  }
  return `${rules.length} rules`
}

/** Every metric in a rule has series: an alert on a misspelled name would never fire. */
export async function assertMetricsExist(platform: Platform): Promise<string> {
  const rules = await rulesOf(platform.namespace.name)
  const recorded = new Set(rules.filter(({ type }) => type === 'recording').map(({ name }) => name))
  const names = new Set(
    rules.flatMap(({ query: expr }) =>
      [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{/g)].map(([, name]) => name ?? ''),
    ),
  )
  const required = [...names].filter(
    (name) => !OPTIONAL_METRICS.test(name) && !METRICS_OF_ACCOUNTS.test(name),
  )
  const existing = new Set(await labelValues(`{${seriesOf(platform)}}`, '__name__'))
  const missing = required.filter((name) => !existing.has(name) && !recorded.has(name))
  if (missing.length > 0) throw new Error(missing.join(', '))
  return `${required.length} metrics`
}

/** The exported payment totals equal the table `payment_totals`. */
export async function assertTotalsMatch(platform: Platform): Promise<string> {
  const sql = `SELECT status, payment_method, currency, entered, amount_minor FROM payment_totals ORDER BY 1, 2, 3`
  return eventually(
    'equal totals',
    async () => {
      const stored = await platform.psql('payments', sql)
      const [entered, amounts] = await Promise.all(
        ['payments_entered_total', 'payments_entered_amount_minor_total'].map((name) =>
          query(`max by (status, method, currency) (${name}{${seriesOf(platform)}})`),
        ),
      )
      const exported = entered?.map(({ metric, values }) => {
        const { status, method, currency } = metric
        const amount = amounts?.find(
          ({ metric: m }) => m.status === status && m.currency === currency && m.method === method,
        )
        return [status, method, currency, values[0]?.[1], amount?.values[0]?.[1]].join('|')
      })
      if (exported?.toSorted().join() !== stored.join()) {
        throw new Error(`${exported?.join()}\n${stored.join()}`)
      }
      return stored.join(', ')
    },
    { limitMs: 90_000 },
  )
}

/** Waits until exactly these alerts fire. */
export async function assertFiring(platform: Platform, expected: readonly string[]): Promise<void> {
  await eventually('exactly the expected alerts', async () => {
    const found = await query(`ALERTS{namespace="${platform.namespace.name}",alertstate="firing"}`)
    const names = new Set(found.map(({ metric }) => metric.alertname ?? ''))
    if ([...names].toSorted().join() !== expected.join()) {
      throw new Error([...names].join() || 'none')
    }
  })
}

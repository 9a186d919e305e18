import { writeFile } from 'node:fs/promises'
import { check, needed } from '../checks.ts'
import { eventually } from '../cluster.ts'
import type { Helm } from '../helm.ts'
import { findPrometheus, labelValues, query, rulesOf } from '../prometheus.ts'
import { chosen, type Dashboard, faultsOf } from './dashboards.ts'
import { pay, register, tokenOf } from './http.ts'
import { checkLogs } from './logs.ts'
import { picture } from './picture.ts'
import { type Ground, Platform, RELEASE } from './platform.ts'
import { checkRunbooks } from './runbooks.ts'
import { checkTracing, startCollector, TRACED } from './tracing.ts'
import { traffic, webhook } from './traffic.ts'

/** The platform as Prometheus sees it: targets, rules, totals of money, and every query of every dashboard. */

const TRAFFIC_S = 45
/** Metrics of exporters that a cluster may lack; promtool alone tests what is made of them. */
const FOREIGN = /^(kube_|kubelet_|certmanager_)/
const WATCHED = {
  interval: '5s',
  timeout: '5s',
  enabled: true,
  rules: { for: { page: '30s', ticket: '1m' }, window: '1m' },
  // Two cores that carry a whole suite are slow, and that is not what is tried here.
  thresholds: { eventLoopLagSeconds: 5 },
}
/** Objectives with more time, for the same reason. */
const objective = (name: string, method: string, ...routes: string[]) => {
  const much = { availablePercent: 99, seconds: '10', inTimePercent: 90 }
  return { name, method, routes, ...much }
}
const OBJECTIVES = {
  auth: [objective('login', 'POST', '/api/auth/login')],
  payments: [
    objective('create', 'POST', '/api/payments'),
    objective('read', 'GET', '/api/payments/:reference'),
    objective('transition', 'POST', '/api/payments/:reference/status'),
  ],
}

export async function checkMonitoring(namespace: string, helm: Helm, ground: Ground) {
  const where = await findPrometheus()
  if (where === undefined && !process.env.CI) {
    console.log('left out: monitoring, since no Prometheus answers (PROMETHEUS_URL)')
    return
  }
  const platform = watched(namespace, helm, ground)
  await needed('monitoring: the platform is installed with its monitors and rules', async () => {
    await platform.namespace.create()
    await platform.namespace.apply(BACKUP_KEYS)
    await startCollector(platform.namespace)
    await platform.deploy()
  })
  await needed('monitoring: Prometheus reaches every target', () => allUp(platform))
  await needed('monitoring: clients come', () => traffic(platform.client, TRAFFIC_S).then(String))
  await check('monitoring: every rule is evaluated', () => rulesAreWell(platform))
  await check('monitoring: every metric that a rule looks at is there', () => metricsAre(platform))
  await check('monitoring: totals of money are those of the database, told once', () =>
    totalsAre(platform),
  )
  await dashboards(platform)
  await check('monitoring: no alert fires when all is well', () => firing(platform, []))
  await check('monitoring: a webhook with the id of another one fires an alert', async () => {
    await conflict(platform)
    await firing(platform, ['WebhookConflicts'])
  })
  await checkTracing(platform)
  await checkRunbooks(platform)
  await checkLogs(platform.namespace)
}

/** One of everything with a backup, beside the releases of the other parts. */
function watched(namespace: string, helm: Helm, ground: Ground): Platform {
  const scraper = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': MONITORING } },
  }
  const service = (name: keyof typeof OBJECTIVES) => ({
    replicas: 2,
    tracing: TRACED.tracing,
    monitoring: { ...WATCHED, objectives: OBJECTIVES[name] },
    networkPolicy: {
      ...TRACED.networkPolicy,
      prometheus: [scraper],
      objectStore: { ports: [9000] },
    },
    database: { backup: BACKUP },
  })
  const services = { auth: service('auth'), payments: service('payments') }
  const own = { ...services, dashboards: { enabled: true } }
  return new Platform(namespace, helm, ground, own)
}

const MONITORING = process.env.E2E_MONITORING_NAMESPACE ?? 'monitoring'
const S3 = process.env.E2E_S3 ?? 'http://s3.object-store:9000'
/** Each database archives under its own name, or the second one finds an archive that is not empty. */
const BACKUP = {
  enabled: true,
  destinationPath: `s3://backups/e2e-monitoring-${Date.now()}`,
  endpointURL: S3,
  existingSecret: 'backups',
  sidecarEnv: ['REQUEST_CHECKSUM_CALCULATION', 'RESPONSE_CHECKSUM_VALIDATION'].map((name) => ({
    name: `AWS_${name}`,
    value: 'when_required',
  })),
}
const BACKUP_KEYS = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'backups' },
  stringData: {
    ACCESS_KEY_ID: process.env.E2E_S3_KEY ?? 'lab',
    SECRET_ACCESS_KEY: process.env.E2E_S3_SECRET ?? 'lab-secret',
  },
}

const seriesOf = ({ namespace }: Platform) => `namespace="${namespace.name}",release="${RELEASE}"`

const EXPECTED = [
  'auth database: 1',
  'auth service: 2',
  'payments database: 1',
  'payments service: 2',
]

async function allUp(platform: Platform) {
  await eventually(
    'all targets',
    async () => {
      const found = await query(`sum by (app, component) (up{${seriesOf(platform)}})`)
      const up = found.map(
        ({ metric, values }) => `${metric.app} ${metric.component}: ${values[0]?.[1]}`,
      )
      if (up.toSorted().join() !== EXPECTED.join()) throw new Error(up.join())
    },
    { limitMs: 120_000 },
  )
}

async function rulesAreWell({ namespace }: Platform): Promise<string> {
  const rules = await rulesOf(namespace.name)
  const alerts = rules.filter(({ type }) => type === 'alerting')
  if (alerts.length < 20) throw new Error(`${alerts.length} alerts`)
  const ill = rules.filter(({ health }) => health !== 'ok')
  if (ill.length > 0)
    throw new Error(ill.map((rule) => `${rule.name}: ${rule.lastError}`).join('\n'))
  return `${rules.length} rules`
}

/** A name that is misspelt would never alert. */
async function metricsAre(platform: Platform): Promise<string> {
  const rules = await rulesOf(platform.namespace.name)
  const recorded = new Set(rules.filter(({ type }) => type === 'recording').map(({ name }) => name))
  const names = new Set(
    rules.flatMap(({ query: expr }) =>
      [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{/g)].map(([, name]) => name ?? ''),
    ),
  )
  const wanted = [...names].filter((name) => !FOREIGN.test(name))
  const there = new Set(await labelValues(`{${seriesOf(platform)}}`, '__name__'))
  const missing = wanted.filter((name) => !there.has(name) && !recorded.has(name))
  if (missing.length > 0) throw new Error(missing.join(', '))
  return `${wanted.length} metrics`
}

async function totalsAre(platform: Platform): Promise<string> {
  const sql = `SELECT status, payment_method, currency, entered, amount_minor FROM payment_totals ORDER BY 1, 2, 3`
  return eventually(
    'the same totals',
    async () => {
      const kept = await platform.psql('payments', sql)
      const told = await Promise.all(
        ['payments_entered_total', 'payments_entered_amount_minor_total'].map((name) =>
          query(`max by (status, method, currency) (${name}{${seriesOf(platform)}})`),
        ),
      )
      const lines = told[0]?.map(({ metric, values }) => {
        const { status, method, currency } = metric
        const amount = told[1]?.find(
          ({ metric: m }) => m.status === status && m.currency === currency && m.method === method,
        )
        return [status, method, currency, values[0]?.[1], amount?.values[0]?.[1]].join('|')
      })
      if (lines?.toSorted().join() !== kept.join())
        throw new Error(`${lines?.join()}\n${kept.join()}`)
      return kept.join(', ')
    },
    { limitMs: 90_000 },
  )
}

async function dashboards(platform: Platform) {
  const maps = await platform.namespace.list('configmap', 'grafana_dashboard=1')
  const shipped = maps.flatMap(({ data = {} }) => Object.values(data))
  const all = shipped.map((text) => JSON.parse(text) as Dashboard)
  await check('dashboards: all six are shipped', async () => {
    if (all.length !== 6) throw new Error(all.map(({ title }) => title).join())
  })
  const variables = { namespace: platform.namespace.name, release: RELEASE }
  for (const dashboard of all) {
    await check(`dashboards: every query of “${dashboard.title}” has data`, () =>
      // The newest of what is scraped each half minute may be on its way.
      eventually('data', async () => {
        const faults = await faultsOf(dashboard, variables)
        if (faults.length > 0) throw new Error(faults.join('\n'))
        return `${dashboard.panels.length} panels`
      }),
    )
    await check(`dashboards: variables and marks of “${dashboard.title}”`, () =>
      variablesOf(dashboard, variables),
    )
  }
  const overview = all.find(({ uid }) => uid === 'malipo-overview')
  const file = process.env.E2E_PICTURE
  if (overview && file) await writeFile(file, await picture(overview, variables))
}

async function variablesOf(
  { templating, annotations }: Dashboard,
  variables: Record<string, string>,
) {
  for (const { name, query: definition } of templating.list) {
    const [, series, label] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? []
    if (series === undefined || label === undefined) continue
    const values = await labelValues(chosen(series, variables), label)
    if (!values.includes(variables[name] ?? '?')) throw new Error(`${name}: ${values.join()}`)
  }
  for (const { name, expr } of annotations.list) {
    if ((await query(chosen(expr, variables))).length === 0) throw new Error(`${name}: nothing`)
  }
}

/** These alerts fire, sooner or later, and no others do. */
async function firing(platform: Platform, expected: readonly string[]) {
  await eventually('these alerts and no others', async () => {
    const found = await query(`ALERTS{namespace="${platform.namespace.name}",alertstate="firing"}`)
    const names = new Set(found.map(({ metric }) => metric.alertname ?? ''))
    if ([...names].toSorted().join() !== expected.join())
      throw new Error([...names].join() || 'none')
  })
}

async function conflict({ client }: Platform) {
  const token = await tokenOf(client, await register(client))
  const references = [await pay(client, token), await pay(client, token)]
  const path = '/api/payments/webhook/provider'
  for (const reference of references) {
    const body = webhook(reference ?? '', 'PENDING', 'evt-twice')
    await client({ method: 'POST', path, token, body })
  }
}

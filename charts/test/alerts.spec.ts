import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { run } from '../../e2e/cluster.ts'
import { packCharts } from '../../e2e/helm.ts'
import { promtool } from './promtool.ts'
import { type Manifest, render } from './render.ts'

/** Tests every alert of the charts with promtool: series for which it fires, and series for which it does not. */

const HERE = new URL('alerts/', import.meta.url)
const RUNBOOKS = new URL('../../docs/runbooks/', import.meta.url)

interface Scenario {
  readonly at: string
  readonly interval?: string
  readonly series: Readonly<Record<string, string>>
}

interface FiringScenario extends Scenario {
  readonly severity: string
  readonly summary: string
  /** Expected labels in addition to the release's. */
  readonly labels?: Readonly<Record<string, string>>
  /** Expected labels instead of the release's. */
  readonly allLabels?: Readonly<Record<string, string>>
  /** Labels of the release that the expression drops. */
  readonly droppedLabels?: readonly string[]
  /** The value in the summary is approximate, so only the labels are compared. */
  readonly approximate?: string
}

interface AlertTest {
  readonly fires: FiringScenario
  readonly silent: Scenario
}

const FILES = ['service', 'database', 'payments', 'auth', 'platform'] as const
const text = (file: string) => readFileSync(new URL(`${file}.yaml`, HERE), 'utf8')
// The failsafe schema keeps all scalars strings: in YAML, 0x10 would be the number 16.
const read = (file: string) =>
  parse(text(file), { schema: 'failsafe' }) as Record<string, AlertTest>
const cases = FILES.flatMap((file) =>
  Object.entries(read(file)).map(([alert, tests]) => {
    const app = file === 'auth' || file === 'platform' ? file : 'payments'
    return { alert, app, ...tests }
  }),
)

let charts = ''
let folder = ''
let program = ''
/** Rules by chart. */
const rules = new Map<string, Manifest[]>()

beforeAll(async () => {
  charts = await packCharts()
  folder = await mkdtemp(join(tmpdir(), 'malipo-alerts-'))
  program = await promtool()
  const values = parse(text('values')) as { service: object; platform: object }
  for (const chart of ['auth', 'payments', 'platform']) {
    const file = join(folder, `${chart}-values.yaml`)
    await writeFile(file, stringify(chart === 'platform' ? values.platform : values.service))
    const { all } = await render('helm', charts, { chart, name: 'alerts', files: [file] })
    const made = all.filter(({ kind }) => kind === 'PrometheusRule')
    const groups = made.flatMap(({ spec }) => spec.groups as Manifest[])
    rules.set(
      chart,
      groups.flatMap((group) => group.rules as Manifest[]),
    )
    await writeFile(join(folder, `${chart}.yaml`), stringify({ groups }))
  }
}, 300_000)
afterAll(() => Promise.all([charts, folder].map((each) => rm(each, { recursive: true }))))

/** The runbook's file name without its extension: the alert's name in kebab-case. */
const runbookOf = (alert: string) => alert.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()

const alerts = () => [...rules.values()].flat().filter(({ alert }) => alert !== undefined)

describe('rules', () => {
  it('pass promtool check rules', async () => {
    const files = ['auth', 'payments', 'platform'].map((chart) => join(folder, `${chart}.yaml`))
    await run(program, ['check', 'rules', ...files])
  })

  it('have a test for every alert, and an alert for every test', () => {
    const tested = new Set(cases.map(({ alert }) => alert))
    expect(new Set(alerts().map(({ alert }) => alert as string))).toEqual(tested)
  })

  it('have a severity, a summary and an existing runbook that is listed in the README', () => {
    const readme = readFileSync(new URL('README.md', RUNBOOKS), 'utf8')
    const incomplete = alerts().filter(({ alert, labels, annotations }) => {
      const page = `${runbookOf(alert as string)}.md`
      const isLinked = annotations.runbook_url === `https://docs.test/runbooks/${page}`
      const exists = existsSync(new URL(page, RUNBOOKS))
      const isListed = readme.includes(`[${alert as string}](${page})`)
      const hasSeverity = ['page', 'ticket'].includes(labels.severity as string)
      const hasSummary = /\w+ \w+/.test(annotations.summary as string)
      return !(isLinked && exists && isListed && hasSeverity && hasSummary)
    })
    expect(incomplete.map(({ alert }) => alert as string)).toEqual([])
  })
})

// A release without provider accounts has no series of them, so that `make e2e` can't check their names.
it('docs/metrics.md lists every metric of third parties, provider accounts and notifications that alerts and dashboards use', () => {
  const documented = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  const folder = new URL('../platform/files/dashboards/', import.meta.url)
  const dashboards = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'))
  const texts = [...alerts().map(({ expr }) => expr as string), ...dashboards]
  // Without values of labels, such as names of workers.
  const used = texts.join('\n').replaceAll(/=~?\\?"[^"\\]*/g, '')
  const names =
    used.match(
      /\b(cnpg|barman|kube|kubelet|certmanager|provider|callbacks?|attempts?|deliver(y|ies)|webhook)_\w+/g,
    ) ?? []
  expect(names.length).toBeGreaterThan(10)
  const isListed = (name: string) => documented.includes(`\`${name.replace(/_bucket$/, '')}\``)
  expect(names.filter((name) => !isListed(name))).toEqual([])
})

describe('runbook of', () => {
  it.each(cases)(
    '$alert has the sections meaning, diagnosis, mitigation and verification',
    ({ alert }) => {
      const text = readFileSync(new URL(`${runbookOf(alert)}.md`, RUNBOOKS), 'utf8')
      expect(text).toMatch(new RegExp(`^# ${alert}\n`))
      const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
      expect(headings).toEqual(['Meaning', 'Diagnosis', 'Mitigation', 'Verification'])
      expect(text).toMatch(/^```(sh|promql|sql)/m)
    },
  )
})

describe.each(cases)('$alert', ({ alert, app, fires, silent }) => {
  it('fires', async () => {
    const { annotations } = alerts().find((rule) => rule.alert === alert)
    const runbook = annotations.runbook_url as string
    const release = { namespace: 'ns', release: 'release', app }
    const labels: Record<string, string> = fires.allLabels
      ? { ...fires.allLabels }
      : { ...release, ...fires.labels }
    for (const label of fires.droppedLabels ?? []) delete labels[label]
    const exp_alerts = [
      {
        exp_labels: { severity: fires.severity, runbook: runbookOf(alert), ...labels },
        exp_annotations: { summary: fires.summary, runbook_url: runbook },
      },
    ]
    const alert_rule_test = [{ eval_time: fires.at, alertname: alert, exp_alerts }]
    // An approximate summary can't be compared, so the labels of the firing alert are.
    const by = Object.keys(exp_alerts[0]!.exp_labels).join(', ')
    const given = Object.entries(exp_alerts[0]!.exp_labels).map(([k, v]) => `${k}="${v}"`)
    const promql_expr_test = [
      {
        expr: `count by (${by}) (ALERTS{alertname="${alert}", alertstate="firing"})`,
        eval_time: fires.at,
        exp_samples: [{ labels: `{${given.join(', ')}}`, value: 1 }],
      },
    ]
    const expected = fires.approximate ? { promql_expr_test } : { alert_rule_test }
    await testRules(alert, app, fires, expected)
  })

  it('does not fire', async () => {
    const expr = `ALERTS{alertname="${alert}", alertstate="firing"}`
    const promql_expr_test = [{ expr, eval_time: silent.at, exp_samples: [] }]
    await testRules(alert, app, silent, { promql_expr_test })
  })
})

/** Runs `promtool test rules` with the series of a scenario. */
async function testRules(
  alert: string,
  app: string,
  { series, interval = '30s' }: Scenario,
  expectations: object,
): Promise<void> {
  const release = `namespace="ns",release="release",app="${app}"`
  const withReleaseLabels = (name: string) => {
    if (/^(kube|certmanager)/.test(name)) return name.replace('{', '{namespace="ns",')
    return name.includes('{') ? name.replace('{', `{${release},`) : `${name}{${release}}`
  }
  const input_series = Object.entries(series).map(([name, values]) => ({
    series: withReleaseLabels(name),
    // promtool would read 0x10 as the hexadecimal number 16.
    values: values.replaceAll(/(?<!\+)\b0x/g, '0+0x'),
  }))
  // Only the alert and its recording rules: evaluating all of them would take minutes.
  const isNeeded = (rule: Manifest) =>
    rule.alert === alert || (/Burn$/.test(alert) && rule.record !== undefined)
  const groups = [{ name: alert, rules: (rules.get(app) ?? []).filter(isNeeded) }]
  const base = join(folder, randomUUID())
  await writeFile(`${base}.rules.yaml`, stringify({ groups }))
  const test = { interval, input_series, ...expectations }
  const rule_files = [`${base}.rules.yaml`]
  const file = `${base}.test.yaml`
  await writeFile(file, stringify({ rule_files, evaluation_interval: interval, tests: [test] }))
  await run(program, ['test', 'rules', file])
}

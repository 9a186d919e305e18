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

/** Every alert, as the charts make it: whether it fires when it should, and not when it should not. */

const HERE = new URL('alerts/', import.meta.url)
const RUNBOOKS = new URL('../../docs/runbooks/', import.meta.url)

interface Silent {
  readonly at: string
  readonly every?: string
  readonly series: Readonly<Record<string, string>>
}

interface Fires extends Silent {
  readonly severity: string
  readonly summary: string
  /** Labels beside those of the release; `bare` are all of them, and `without` what the expression drops. */
  readonly labels?: Readonly<Record<string, string>>
  readonly bare?: Readonly<Record<string, string>>
  readonly without?: readonly string[]
  /** The value in the summary is not known to the digit. */
  readonly about?: string
}

interface Tests {
  readonly fires: Fires
  readonly silent: Silent
}

const FILES = ['service', 'database', 'payments', 'auth', 'platform'] as const
const text = (file: string) => readFileSync(new URL(`${file}.yaml`, HERE), 'utf8')
// Nothing is a number: to YAML 0x10 is sixteen.
const read = (file: string) => parse(text(file), { schema: 'failsafe' }) as Record<string, Tests>
const cases = FILES.flatMap((file) =>
  Object.entries(read(file)).map(([alert, tests]) => {
    const app = file === 'auth' || file === 'platform' ? file : 'payments'
    return { alert, app, ...tests }
  }),
)

let charts = ''
let folder = ''
let program = ''
/** By chart. */
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

/** The page of an alert, by its name. */
const pageOf = (alert: string) => alert.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()

const alerts = () => [...rules.values()].flat().filter(({ alert }) => alert !== undefined)

describe('the rules', () => {
  it('are right in promtool’s eyes', async () => {
    const files = ['auth', 'payments', 'platform'].map((chart) => join(folder, `${chart}.yaml`))
    await run(program, ['check', 'rules', ...files])
  })

  it('have a test for each alert, and an alert for each test', () => {
    const tested = new Set(cases.map(({ alert }) => alert))
    expect(new Set(alerts().map(({ alert }) => alert as string))).toEqual(tested)
  })

  it('say how bad it is, in words, and lead to a page', () => {
    const pages = readFileSync(new URL('README.md', RUNBOOKS), 'utf8')
    const wrong = alerts().filter(({ alert, labels, annotations }) => {
      const page = `${pageOf(alert as string)}.md`
      const leads = annotations.runbook_url === `https://docs.test/runbooks/${page}`
      const isThere = existsSync(new URL(page, RUNBOOKS))
      const isGraded = ['page', 'ticket'].includes(labels.severity as string)
      const isListed = pages.includes(`[${alert as string}](${page})`)
      return (
        !leads ||
        !isThere ||
        !isListed ||
        !isGraded ||
        !/\w+ \w+/.test(annotations.summary as string)
      )
    })
    expect(wrong.map(({ alert }) => alert as string)).toEqual([])
  })
})

it('docs/metrics.md lists every metric of others that is looked at', () => {
  const documented = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  const folder = new URL('../platform/files/dashboards/', import.meta.url)
  const shown = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'))
  const looked = [...alerts().map(({ expr }) => expr as string), ...shown].join('\n')
  const names = looked.match(/\b(cnpg|barman|kube|kubelet|certmanager)_\w+/g) ?? []
  expect(names.length).toBeGreaterThan(10)
  expect(names.filter((name) => !documented.includes(`\`${name}\``))).toEqual([])
})

describe('the page of', () => {
  it.each(cases)(
    '$alert says what it means, how to see it, what to do, and when it is over',
    ({ alert }) => {
      const text = readFileSync(new URL(`${pageOf(alert)}.md`, RUNBOOKS), 'utf8')
      expect(text).toMatch(new RegExp(`^# ${alert}\n`))
      const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
      expect(headings).toEqual(['What it means', 'How to see it', 'What to do', 'When it is over'])
      expect(text).toMatch(/^```(sh|promql|sql)/m)
    },
  )
})

describe.each(cases)('$alert', ({ alert, app, fires, silent }) => {
  it('fires', async () => {
    const { annotations } = alerts().find((rule) => rule.alert === alert)
    const runbook = annotations.runbook_url as string
    const release = { namespace: 'ns', release: 'release', app }
    const labels: Record<string, string> = fires.bare
      ? { ...fires.bare }
      : { ...release, ...fires.labels }
    for (const label of fires.without ?? []) delete labels[label]
    const exp_alerts = [
      {
        exp_labels: { severity: fires.severity, runbook: pageOf(alert), ...labels },
        exp_annotations: { summary: fires.summary, runbook_url: runbook },
      },
    ]
    const alert_rule_test = [{ eval_time: fires.at, alertname: alert, exp_alerts }]
    // Where the value is not known to the digit, that it fires with these labels is what counts.
    const by = Object.keys(exp_alerts[0]!.exp_labels).join(', ')
    const given = Object.entries(exp_alerts[0]!.exp_labels).map(([k, v]) => `${k}="${v}"`)
    const promql_expr_test = [
      {
        expr: `count by (${by}) (ALERTS{alertname="${alert}", alertstate="firing"})`,
        eval_time: fires.at,
        exp_samples: [{ labels: `{${given.join(', ')}}`, value: 1 }],
      },
    ]
    await judged(alert, app, fires, fires.about ? { promql_expr_test } : { alert_rule_test })
  })

  it('does not fire', async () => {
    const expr = `ALERTS{alertname="${alert}", alertstate="firing"}`
    const promql_expr_test = [{ expr, eval_time: silent.at, exp_samples: [] }]
    await judged(alert, app, silent, { promql_expr_test })
  })
})

/** Has promtool feed the series to the rules, and compare. */
async function judged(alert: string, app: string, given: Silent, tests: object): Promise<void> {
  const { series, every = '30s' } = given
  const release = `namespace="ns",release="release",app="${app}"`
  const labelled = (name: string) => {
    if (/^(kube|certmanager)/.test(name)) return name.replace('{', '{namespace="ns",')
    return name.includes('{') ? name.replace('{', `{${release},`) : `${name}{${release}}`
  }
  const input_series = Object.entries(series).map(([name, values]) => ({
    series: labelled(name),
    // To promtool 0x10 alone would be a number, sixteen.
    values: values.replaceAll(/(?<!\+)\b0x/g, '0+0x'),
  }))
  // The alert with what is recorded for it: all of them would take minutes.
  const isOf = (rule: Manifest) =>
    rule.alert === alert || (/Burn$/.test(alert) && rule.record !== undefined)
  const groups = [{ name: alert, rules: (rules.get(app) ?? []).filter(isOf) }]
  const base = join(folder, randomUUID())
  await writeFile(`${base}.rules.yaml`, stringify({ groups }))
  const test = { interval: every, input_series, ...tests }
  const rule_files = [`${base}.rules.yaml`]
  const file = `${base}.test.yaml`
  await writeFile(file, stringify({ rule_files, evaluation_interval: every, tests: [test] }))
  await run(program, ['test', 'rules', file])
}

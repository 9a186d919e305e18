import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { run } from '../../e2e/cluster.ts'
import { Helm, packCharts } from '../../e2e/helm.ts'
import { type Branch, markBranches, taken } from './branches.ts'
import { allCases, render, required, template } from './render.ts'
import { validationErrors, schemaLocations } from './schemas.ts'

/** Every chart with every set of values: Helm 3 and 4, the schemas of a cluster, and every template branch. */

const CASES = allCases()
const CHARTS = ['auth', 'payments', 'redis', 'simulator', 'platform']
const helms = await Helm.all()
const locations = await schemaLocations()
if (!locations)
  console.warn('skipped: kubeconform has no schemas; run once with a cluster in KUBECONFIG')
let charts = ''

beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

it('runs with Helm, in CI with Helm 3 and Helm 4', () => {
  expect(helms.length).toBeGreaterThanOrEqual(process.env.CI ? 2 : 1)
})

it('schemas and READMEs match values.yaml', async () => {
  const script = new URL('../values.mjs', import.meta.url).pathname
  await run(process.execPath, [script, '--check'])
})

it('renders auth with the example of its README, an external database and Redis', async () => {
  const readme = readFileSync(new URL('../auth/README.md', import.meta.url), 'utf8')
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(readme) ?? []
  const values = parse(example) as object
  const { find } = await render('helm', charts, { chart: 'auth', name: '', files: [], values })
  expect(find('ConfigMap').data).toMatchObject({
    DB_HOST: 'db.example.com',
    REDIS_URL: 'rediss://redis.example.com:6379',
  })
})

describe.each(helms)('$name', ({ program }) => {
  it.each(CHARTS)('lints %s', async (chart) => {
    await run(program, ['lint', '--strict', `${charts}/${chart}`, ...required(chart)])
  })

  it.each(CASES)('renders $chart: $name', async (each) => {
    const { all } = await render(program, charts, each)
    expect(all.length).toBeGreaterThan(0)
  })
})

describe.skipIf(!locations)('kubeconform', () => {
  it.each(CASES)('accepts $chart: $name', async (each) => {
    const { text } = await render(helms[0]?.program ?? 'helm', charts, each)
    expect(await validationErrors(text, locations ?? [])).toBe('')
  })

  it('rejects an unknown field', async () => {
    const { text } = await render('helm', charts, { chart: 'redis', name: '', files: [] })
    const wrong = text.replace('revisionHistoryLimit', 'revisionHistryLimit')
    expect(await validationErrors(wrong, locations ?? [])).toMatch(/revisionHistryLimit/)
  })
})

it('the cases cover every branch of the templates', async () => {
  let branches: Branch[] = []
  const withMarkers = await packCharts(async (folder) => {
    branches = await markBranches(folder)
  })
  const seen = new Set<number>()
  for (const each of CASES) {
    // The markers are not valid YAML: helm fails, but prints the output with --debug.
    const text = await template('helm', withMarkers, each, '--debug').catch(String)
    for (const number of taken(text)) seen.add(number)
  }
  const missed = branches.filter((_, number) => !seen.has(number))
  await rm(withMarkers, { recursive: true })
  expect(branches.length).toBeGreaterThan(100)
  expect(
    missed.map(
      ({ file, line, action, holds }) =>
        `${file}:${line} ${action}: ${holds ? 'holds' : 'does not'}`,
    ),
  ).toEqual([])
}, 120_000)

it('every file of cases belongs to a chart', () => {
  expect(CASES.filter(({ chart }) => !CHARTS.includes(chart))).toEqual([])
  expect(CASES.every(({ files }) => files.every((file) => readFileSync(file).length > 0))).toBe(
    true,
  )
})

import { writeFile } from 'node:fs/promises'
import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { labelValues, query } from '../prometheus.ts'
import { renderSvg } from './dashboard-svg.ts'
import { type Dashboard, faultsOf, substituted, type Variables } from './dashboards.ts'
import { type Platform, RELEASE } from './platform.ts'

/** Checks the dashboards of a release; with E2E_PICTURE, writes the overview as SVG to that file. */

const EXPECTED_DASHBOARDS = 8

export async function checkDashboards(platform: Platform): Promise<void> {
  const maps = await platform.namespace.list('configmap', 'grafana_dashboard=1')
  const sources = maps.flatMap(({ data = {} }) => Object.values(data))
  const all = sources.map((text) => JSON.parse(text) as Dashboard)
  await check('dashboards: all are installed', async () => {
    if (all.length !== EXPECTED_DASHBOARDS) throw new Error(all.map(({ title }) => title).join())
  })
  // A variable with several values is a regular expression.
  const variables = { namespace: platform.namespace.name, release: RELEASE, account: '.+' }
  for (const dashboard of all) {
    await check(`dashboards: every query of “${dashboard.title}” returns data`, () =>
      // Metrics with a scrape interval of 30 s may not have arrived yet.
      eventually('data', async () => {
        const faults = await faultsOf(dashboard, variables)
        if (faults.length > 0) throw new Error(faults.join('\n'))
        return `${dashboard.panels.length} panels`
      }),
    )
    await check(`dashboards: variables and annotations of “${dashboard.title}” return data`, () =>
      assertVariables(dashboard, variables),
    )
  }
  const overview = all.find(({ uid }) => uid === 'malipo-overview')
  const file = process.env.E2E_PICTURE
  if (overview && file) await writeFile(file, await renderSvg(overview, variables))
}

async function assertVariables(
  { templating, annotations }: Dashboard,
  variables: Variables,
): Promise<void> {
  for (const { name, query: definition, includeAll } of templating.list) {
    // A release without provider accounts has none to select.
    if (includeAll === true) continue
    const [, series, label] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? []
    if (series === undefined || label === undefined) continue
    const values = await labelValues(substituted(series, variables), label)
    if (!values.includes(variables[name] ?? '?')) throw new Error(`${name}: ${values.join()}`)
  }
  for (const { name, expr } of annotations.list) {
    const found = await query(substituted(expr, variables))
    if (found.length === 0) throw new Error(`${name}: no data`)
  }
}

import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  type Dashboard,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import { RELEASE } from './panels.ts'

/** Shared by all dashboards: variables for the release, links to the others, annotations of rollouts. */

export interface DashboardSpec {
  readonly uid: string
  readonly title: string
  readonly description: string
  /** Labels by which a viewer selects series, each with a selector of series that have the label. */
  readonly variables?: Readonly<Record<string, string>>
  /** Panels by the title of their row. */
  readonly rows: Readonly<Record<string, readonly Builder<Panel>[]>>
}

/** The initial value of a variable with several values. */
const ALL = { selected: true, text: 'All', value: '$__all' }

const SOURCE = { type: 'prometheus', uid: '${datasource}' }

export function dashboard({
  uid,
  title,
  description,
  variables = {},
  rows,
}: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(`Malipo: ${title}`)
    .uid(uid)
    .description(description)
    .tags(['malipo'])
    .timezone('browser')
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .readonly()
    .variables([
      new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
      labelValues('namespace', 'build_info'),
      labelValues('release', 'build_info{namespace="$namespace"}'),
      ...Object.entries(variables).map(([label, series]) =>
        labelValues(label, series).multi(true).includeAll(true).allValue('.+').current(ALL),
      ),
    ])
    .links([
      new DashboardLinkBuilder('Malipo')
        .type(DashboardLinkType.Dashboards)
        .tags(['malipo'])
        .includeVars(true)
        .keepTime(true)
        .targetBlank(false),
      // The chart replaces RUNBOOKS with the base URL.
      new DashboardLinkBuilder('Runbooks').type(DashboardLinkType.Link).url('RUNBOOKS'),
    ])
    .annotations([rollouts()])
  for (const [row, panels] of Object.entries(rows)) {
    builder.withRow(new RowBuilder(row))
    for (const panel of panels) builder.withPanel(withSource(panel))
  }
  return builder.build()
}

function labelValues(label: string, series: string): QueryVariableBuilder {
  return new QueryVariableBuilder(label)
    .label(label)
    .datasource(SOURCE)
    .query(`label_values(${series}, ${label})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
}

/** Marks pod starts: a release, a changed setting, or a restart. */
function rollouts(): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name('Pod starts')
    .datasource(SOURCE)
    .enable(true)
    .iconColor('blue')
    .expr(`process_start_time_seconds{${RELEASE},component="service"} * 1000`)
    .useValueForTime(true)
    .titleFormat('{{app}} started')
    .textFormat('{{pod}}')
}

function withSource(panel: Builder<Panel>): Builder<Panel> {
  const built = panel.build()
  const targets = built.targets?.map((target) => ({ ...target, datasource: SOURCE })) ?? []
  return { build: () => ({ ...built, datasource: SOURCE, targets }) }
}

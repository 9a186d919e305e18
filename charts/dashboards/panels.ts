import { PanelBuilder as LogOfStates } from '@grafana/grafana-foundation-sdk/statetimeline'
import { PanelBuilder as Graph } from '@grafana/grafana-foundation-sdk/timeseries'
import { PanelBuilder as Numbers } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table'
import {
  DashboardLinkBuilder,
  type DataTransformerConfig,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import {
  VizLegendOptionsBuilder,
  LegendDisplayMode,
  LegendPlacement,
} from '@grafana/grafana-foundation-sdk/common'

/** The panels that dashboards are made of: a title, what it is measured in, and queries by their legend. */

/** What the variables of a dashboard choose. */
export const RELEASE = 'namespace="$namespace",release="$release"'

/** PromQL by its legend, in which `{{label}}` is that label. */
export type Queries = Readonly<Record<string, string>>

/** A unit as Grafana names it. */
export type Unit =
  'short' | 'reqps' | 'cps' | 's' | 'percentunit' | 'bytes' | 'dtdurations' | 'bool'

export interface About {
  readonly title: string
  readonly unit: Unit
  /** In whole sentences: what it shows, and what is bad. */
  readonly description: string
  readonly queries: Queries
  /** Of 24 columns. */
  readonly span?: number
  /** What it says instead of data: only for a panel that is rightly empty when all is well. */
  readonly noValue?: string
  /** The dashboard that says more. */
  readonly leadsTo?: string
}

type Panel = Graph | Numbers | Table | LogOfStates

const HEIGHT = 8

export const graph = (about: About): Graph =>
  furnished(new Graph(), about, 12)
    .lineWidth(1)
    .fillOpacity(8)
    .min(0)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )

/** The newest values, large. */
export const numbers = (about: About): Numbers => furnished(new Numbers(), about, 6, true)

/** A row a series; `hidden` are labels that say nothing there. */
export function table(about: About, hidden: readonly string[]): Table {
  const exclude = Object.fromEntries(
    ['Time', 'Value', '__name__', ...hidden].map((it) => [it, true]),
  )
  const transformation: DataTransformerConfig = {
    id: 'organize',
    options: { excludeByName: exclude },
  }
  return furnished(new Table(), about, 12, true).withTransformation(transformation)
}

function furnished<P extends Panel>(panel: P, about: About, span: number, isNewest = false): P {
  panel
    .title(about.title)
    .description(about.description)
    .unit(about.unit)
    .height(HEIGHT)
    .span(about.span ?? span)
  for (const [legend, expr] of Object.entries(about.queries)) {
    const query = new DataqueryBuilder().expr(expr).legendFormat(legend)
    if (isNewest) query.instant()
    else query.range()
    if (panel instanceof Table) query.format(PromQueryFormat.Table)
    panel.withTarget(query)
  }
  if (about.noValue !== undefined) panel.noValue(about.noValue)
  if (about.leadsTo !== undefined) panel.links([leadsTo(about.leadsTo)])
  return panel
}

/** A link to another dashboard of the same release and time. */
export function leadsTo(uid: string): DashboardLinkBuilder {
  const same = '${__url_time_range}&var-namespace=${namespace}&var-release=${release}'
  return new DashboardLinkBuilder(`More: ${uid}`).url(`/d/${uid}?${same}`)
}

/** The part of a whole that a fraction is, 0 where the fraction has no series yet. */
export const part = (fraction: string, whole: string) =>
  `(${fraction} or 0 * ${whole}) / (${whole} > 0) or 0 * ${whole}`

/** A rate over what the panel shows, summed by labels. */
export const rate = (metric: string, series: string, by = '') =>
  `sum${by && ` by (${by})`} (rate(${metric}{${series}}[$__rate_interval]))`

/** A quantile of a histogram, by labels. */
export const quantile = (q: number, metric: string, series: string, by = '') =>
  `histogram_quantile(${q}, ${rate(`${metric}_bucket`, series, by ? `${by}, le` : 'le')})`

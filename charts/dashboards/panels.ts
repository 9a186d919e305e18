import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries'
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat'
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

/** Builders of panels: a title, a unit, and queries by their legend. */

/** Label matchers for the release selected by the dashboard's variables. */
export const RELEASE = 'namespace="$namespace",release="$release"'

/** PromQL expressions by legend; `{{label}}` in a legend is replaced by the label's value. */
export type Queries = Readonly<Record<string, string>>

/** Grafana's name of a unit. */
export type Unit =
  'short' | 'reqps' | 'cps' | 's' | 'percentunit' | 'bytes' | 'dtdurations' | 'bool'

export interface PanelSpec {
  readonly title: string
  readonly unit: Unit
  /** What the panel shows, and which values indicate a problem. */
  readonly description: string
  readonly queries: Queries
  /** Width in columns, of 24. */
  readonly span?: number
  /** Text shown without data; only for panels that are empty in a healthy system. */
  readonly noValue?: string
  /** The uid of a more detailed dashboard. */
  readonly detailsIn?: string
}

type Panel = TimeSeries | Stat | Table

const HEIGHT = 8

export const timeSeries = (spec: PanelSpec): TimeSeries =>
  configure(new TimeSeries(), spec, 12)
    .lineWidth(1)
    .fillOpacity(8)
    .min(0)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )

/** The latest values. */
export const stat = (spec: PanelSpec): Stat => configure(new Stat(), spec, 6, true)

/** A table with one row per series, without the labels in `hidden`. */
export function table(spec: PanelSpec, hidden: readonly string[]): Table {
  const exclude = Object.fromEntries(
    ['Time', 'Value', '__name__', ...hidden].map((it) => [it, true]),
  )
  const transformation: DataTransformerConfig = {
    id: 'organize',
    options: { excludeByName: exclude },
  }
  return configure(new Table(), spec, 12, true).withTransformation(transformation)
}

function configure<P extends Panel>(panel: P, spec: PanelSpec, span: number, isInstant = false): P {
  panel
    .title(spec.title)
    .description(spec.description)
    .unit(spec.unit)
    .height(HEIGHT)
    .span(spec.span ?? span)
  for (const [legend, expr] of Object.entries(spec.queries)) {
    const query = new DataqueryBuilder().expr(expr).legendFormat(legend)
    if (isInstant) query.instant()
    else query.range()
    if (panel instanceof Table) query.format(PromQueryFormat.Table)
    panel.withTarget(query)
  }
  if (spec.noValue !== undefined) panel.noValue(spec.noValue)
  if (spec.detailsIn !== undefined) panel.links([detailsIn(spec.detailsIn)])
  return panel
}

/** A link to another dashboard that keeps the release and the time range. */
export function detailsIn(uid: string): DashboardLinkBuilder {
  const same = '${__url_time_range}&var-namespace=${namespace}&var-release=${release}'
  return new DashboardLinkBuilder(`Details: ${uid}`).url(`/d/${uid}?${same}`)
}

/** The ratio of a fraction to a whole; 0 while the fraction has no series. */
export const ratio = (fraction: string, whole: string) =>
  `(${fraction} or 0 * ${whole}) / (${whole} > 0) or 0 * ${whole}`

/** A rate over the panel's interval, summed by labels. */
export const rate = (metric: string, series: string, by = '') =>
  `sum${by && ` by (${by})`} (rate(${metric}{${series}}[$__rate_interval]))`

/** A quantile of a histogram, by labels. */
export const quantile = (q: number, metric: string, series: string, by = '') =>
  `histogram_quantile(${q}, ${rate(`${metric}_bucket`, series, by ? `${by}, le` : 'le')})`

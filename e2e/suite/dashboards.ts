import { queryRange, query, type Series } from '../prometheus.ts'

/** Runs the queries of the rendered dashboards as Grafana would. */

interface Target {
  readonly expr: string
  readonly instant?: boolean
  readonly legendFormat?: string
}

export interface Panel {
  readonly type: string
  readonly title: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets?: readonly Target[]
  readonly fieldConfig?: {
    readonly defaults: { readonly noValue?: string; readonly unit?: string }
  }
}

export interface Dashboard {
  readonly title: string
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: {
    readonly list: readonly {
      readonly name: string
      readonly query: string
      readonly includeAll?: boolean
    }[]
  }
  readonly annotations: {
    readonly list: readonly { readonly name: string; readonly expr: string }[]
  }
}

/** Values of the dashboard's variables. */
export type Variables = Readonly<Record<string, string>>

/** Time range and resolution of range queries. */
const SPAN_S = 180
const STEP_S = 5

/** A query with its variables substituted. */
export function substituted(text: string, variables: Variables): string {
  const known: Variables = { __rate_interval: '1m', __range: `${SPAN_S}s`, ...variables }
  return text.replaceAll(/\$\{?(\w+)\}?/g, (whole, name: string) => known[name] ?? whole)
}

/** The series of each query of a panel. */
export function seriesOf({ targets = [] }: Panel, variables: Variables): Promise<Series[][]> {
  return Promise.all(
    targets.map(({ expr, instant }) => {
      const filled = substituted(expr, variables)
      return instant ? query(filled) : queryRange(filled, SPAN_S, STEP_S)
    }),
  )
}

/** Panels whose query fails, or has no data although the panel defines no text for that case. */
export async function faultsOf(dashboard: Dashboard, variables: Variables): Promise<string[]> {
  const faults: string[] = []
  const panels = dashboard.panels.filter(({ type }) => type !== 'row')
  if (panels.length === 0) faults.push(`${dashboard.title} has no panel`)
  for (const panel of panels) {
    const name = `${dashboard.title}: ${panel.title}`
    const mayBeEmpty = panel.fieldConfig?.defaults.noValue !== undefined
    try {
      const all = await seriesOf(panel, variables)
      all.forEach((series, n) => {
        const numbers = series.flatMap(({ values }) => values.map(([, value]) => Number(value)))
        const hasData = numbers.some((value) => !Number.isNaN(value))
        if (!hasData && !mayBeEmpty) faults.push(`${name}: no data for ${panel.targets?.[n]?.expr}`)
      })
    } catch (error) {
      faults.push(`${name}: ${String(error)}`)
    }
  }
  return faults
}

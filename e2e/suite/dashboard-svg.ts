import type { Series } from '../prometheus.ts'
import { type Variables, type Dashboard, type Panel, seriesOf } from './dashboards.ts'

/** Renders a dashboard with its current data as SVG, with the panels where Grafana would place them. */

const COLUMN = 50
const ROW = 34
const GAP = 6
const PAD = 12
const COLOURS = [
  '#73bf69',
  '#f2cc0c',
  '#5794f2',
  '#ff780a',
  '#b877d9',
  '#f2495c',
  '#8ab8ff',
  '#ffa6b0',
]
const MAX_LINES = 8

export async function renderSvg(dashboard: Dashboard, variables: Variables): Promise<string> {
  const parts = await Promise.all(dashboard.panels.map((panel) => drawPanel(panel, variables)))
  const height = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * ROW
  const width = 24 * COLUMN
  const style = 'font-family="system-ui, sans-serif" font-size="12"'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${style}>
<rect width="100%" height="100%" fill="#111217"/>
${parts.join('\n')}
</svg>
`
}

async function drawPanel(panel: Panel, variables: Variables): Promise<string> {
  const { x, y, w, h } = panel.gridPos
  const at = `transform="translate(${x * COLUMN + GAP / 2} ${y * ROW + GAP / 2})"`
  const size = { width: w * COLUMN - GAP, height: h * ROW - GAP }
  if (panel.type === 'row') {
    return `<g ${at}>${text(4, 20, panel.title, '#ccccdc', 'font-size="14" font-weight="600"')}</g>`
  }
  const all = await seriesOf(panel, variables)
  const named = all.flatMap((series, n) =>
    series.map((one) => ({ ...one, name: legend(panel.targets?.[n]?.legendFormat ?? '', one) })),
  )
  const box = `<rect width="${size.width}" height="${size.height}" rx="3" fill="#181b1f" stroke="#2c3235"/>`
  const title = text(PAD, 22, panel.title, '#ccccdc', 'font-weight="600"')
  const inside = bodyOf(panel, named, size)
  return `<g ${at}>${box}${title}${inside}</g>`
}

interface Named extends Series {
  readonly name: string
}

interface Size {
  readonly width: number
  readonly height: number
}

function bodyOf(panel: Panel, series: readonly Named[], size: Size): string {
  const { noValue, unit = 'short' } = panel.fieldConfig?.defaults ?? {}
  if (series.length === 0) {
    return text(
      size.width / 2,
      size.height / 2,
      noValue ?? 'No data',
      '#73bf69',
      'text-anchor="middle" font-size="18"',
    )
  }
  if (panel.type === 'stat') return stats(series, unit, size)
  if (panel.type === 'table') return rows(series, size)
  return timeSeries(series, unit, size)
}

function timeSeries(series: readonly Named[], unit: string, { width, height }: Size): string {
  const shown = series.slice(0, MAX_LINES)
  const numbersOf = ({ values }: Series) =>
    values
      .map(([at, value]) => [at, Number(value)] as const)
      .filter(([, value]) => Number.isFinite(value))
  const points = shown.map(numbersOf)
  const maximum = Math.max(...points.flat().map(([, value]) => value), 1e-9) * 1.1
  const times = points.flat().map(([at]) => at)
  const [from, to] = [Math.min(...times), Math.max(...times)]
  const plot = { left: 64, top: 36, right: width - PAD, bottom: height - 44 }
  const px = (at: number) =>
    plot.left + ((at - from) / Math.max(1, to - from)) * (plot.right - plot.left)
  const py = (value: number) => plot.bottom - (value / maximum) * (plot.bottom - plot.top)
  const grid = [0, 0.5, 1].map((share) => {
    const y = py(maximum * share)
    const line = `<line x1="${plot.left}" x2="${plot.right}" y1="${y}" y2="${y}" stroke="#2c3235"/>`
    return (
      line +
      text(
        plot.left - 6,
        y + 4,
        formatted(maximum * share, unit),
        '#8e8e8e',
        'text-anchor="end" font-size="10"',
      )
    )
  })
  const lines = points.map((some, n) => {
    const path = some.map(([at, value]) => `${px(at).toFixed(1)},${py(value).toFixed(1)}`).join(' ')
    return `<polyline points="${path}" fill="none" stroke="${colour(n)}" stroke-width="1.5"/>`
  })
  return grid.join('') + lines.join('') + legends(shown, { width, height })
}

function legends(series: readonly Named[], { width, height }: Size): string {
  let x = PAD
  let y = height - 24
  return series
    .map(({ name }, n) => {
      const long = 22 + name.length * 6.4
      if (x + long > width - PAD && x > PAD) [x, y] = [PAD, y + 15]
      if (y > height - PAD / 2) return ''
      const mark = `<rect x="${x}" y="${y - 4}" width="12" height="3" fill="${colour(n)}"/>`
      const label = mark + text(x + 16, y, name, '#ccccdc', 'font-size="11"')
      x += long
      return label
    })
    .join('')
}

function stats(series: readonly Named[], unit: string, { width, height }: Size): string {
  const each = (width - PAD * 2) / series.length
  return series
    .map(({ name, values }, n) => {
      const x = PAD + each * (n + 0.5)
      const value = formatted(Number(values.at(-1)?.[1]), unit)
      const centred = 'text-anchor="middle"'
      const fits = Math.min(30, (each / value.length) * 1.45)
      return (
        text(
          x,
          height / 2 + 14,
          value,
          '#73bf69',
          `${centred} font-size="${fits.toFixed(0)}" font-weight="600"`,
        ) + text(x, height / 2 + 40, name, '#ccccdc', centred)
      )
    })
    .join('')
}

/** Labels shown in tables. */
const COLUMNS = ['alertname', 'severity', 'runbook', 'app', 'version', 'node']

function rows(series: readonly Named[], { height }: Size): string {
  const most = Math.floor((height - 50) / 18)
  return series
    .slice(0, most)
    .map(({ metric }, n) => {
      const cells = COLUMNS.map((label) => metric[label]).filter(Boolean)
      return text(PAD, 50 + n * 18, cells.join('   '), '#ccccdc', 'font-size="11"')
    })
    .join('')
}

const colour = (n: number) => COLOURS[n % COLOURS.length] ?? '#fff'

function legend(format: string, { metric }: Series): string {
  return format.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '')
}

function formatted(value: number, unit: string): string {
  if (unit === 'percentunit')
    return `${(value * 100).toFixed(value > 0.999 || value < 0.1 ? 2 : 1)} %`
  if (unit === 's') return value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(1)} s`
  if (unit === 'reqps' || unit === 'cps') return `${value.toFixed(1)}/s`
  return Number.isInteger(value) ? String(value) : value.toFixed(1)
}

function text(x: number, y: number, content: string, fill: string, more = ''): string {
  const safe = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" fill="${fill}" ${more}>${safe}</text>`
}

/** Formats the figures of a run. */

/**
 * @typedef {import('./load.mjs').Result} Result
 * @typedef {{ ours: Result, limit: Result }} Round measured one after the other, so under the same conditions
 */

/**
 * The row of a kind of work: medians over its rounds. The ratio is the median of the rounds' ratios, since
 * other load on the machine affects both halves of a round alike.
 *
 * @param {string} name
 * @param {Round[]} rounds
 */
export function row(name, rounds) {
  const of = (/** @type {(round: Round) => number} */ figure) => median(rounds.map(figure))
  return [
    name,
    of(({ ours }) => ours.perSecond).toFixed(0),
    of(({ limit }) => limit.perSecond).toFixed(0),
    of(({ ours, limit }) => ours.perSecond / limit.perSecond).toFixed(2),
    milliseconds(of(({ ours }) => ours.p50)),
    milliseconds(of(({ limit }) => limit.p50)),
    milliseconds(of(({ ours }) => ours.p99)),
    milliseconds(of(({ limit }) => limit.p99)),
    String(failed(rounds)),
  ]
}

/** The number of failed requests. @param {Round[]} rounds */
export function failed(rounds) {
  return rounds.reduce((sum, { ours, limit }) => sum + ours.failures + limit.failures, 0)
}

const HEADINGS = [
  'work',
  'req/s',
  'bare',
  'ratio',
  'p50 ms',
  'bare p50',
  'p99 ms',
  'bare p99',
  'errors',
]

/** A Markdown table, aligned for a terminal as well. @param {string[][]} rows @param {string[]} headings */
export function table(rows, headings = HEADINGS) {
  const widths = headings.map((name, i) =>
    Math.max(name.length, ...rows.map((cells) => cells[i]?.length ?? 0)),
  )
  const line = (/** @type {string[]} */ cells) => {
    const padded = cells.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
    )
    return `| ${padded.join(' | ')} |`
  }
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [headings, rule, ...rows].map(line).join('\n')
}

/** @param {number} value */
function milliseconds(value) {
  return value.toFixed(1)
}

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return ((low ?? NaN) + (high ?? NaN)) / 2
}

/** What a suite asks of the Prometheus of the cluster. */

const URL_OF = process.env.PROMETHEUS_URL ?? 'http://127.0.0.1:30090'
const TIMEOUT_MS = 20_000

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  /** Seconds since the epoch, and a number as text. */
  readonly values: readonly (readonly [number, string])[]
}

export interface Rule {
  readonly name: string
  readonly type: 'alerting' | 'recording'
  readonly health: string
  readonly lastError?: string
  readonly query: string
  readonly state?: 'inactive' | 'pending' | 'firing'
}

/** Where it is, or undefined when it does not answer. */
export async function findPrometheus(): Promise<string | undefined> {
  const isThere = await fetch(`${URL_OF}/-/ready`, { signal: AbortSignal.timeout(5_000) }).then(
    ({ ok }) => ok,
    () => false,
  )
  return isThere ? URL_OF : undefined
}

/** The newest values of an expression. */
export async function query(expr: string): Promise<Series[]> {
  const { result } = await ask<{
    result: { metric: Series['metric']; value: Series['values'][number] }[]
  }>('query', { query: expr })
  return result.map(({ metric, value }) => ({ metric, values: [value] }))
}

/** Its values over the last `seconds`, a point for each `step` seconds. */
export async function queryRange(expr: string, seconds: number, step: number): Promise<Series[]> {
  const end = Date.now() / 1000
  const times = { start: String(end - seconds), end: String(end), step: String(step) }
  return (await ask<{ result: Series[] }>('query_range', { query: expr, ...times })).result
}

/** The labels of the exemplars that it has of a series, from the last `seconds`. */
export async function exemplarsOf(series: string, seconds: number) {
  const end = Date.now() / 1000
  const times = { start: String(end - seconds), end: String(end) }
  const found = await ask<{ exemplars: { labels: Series['metric'] }[] }[]>('query_exemplars', {
    query: series,
    ...times,
  })
  return found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels))
}

/** The values that a label has, of the series that match. */
export function labelValues(series: string, label: string): Promise<string[]> {
  return ask<string[]>(`label/${label}/values`, { 'match[]': series })
}

/** The rules of a namespace, whose groups begin with its name. */
export async function rulesOf(namespace: string): Promise<Rule[]> {
  const { groups } = await ask<{ groups: { name: string; rules: Rule[] }[] }>('rules', {})
  return groups.filter(({ name }) => name.startsWith(`${namespace}-`)).flatMap(({ rules }) => rules)
}

/** @throws Error with what Prometheus said of it */
async function ask<T>(path: string, parameters: Record<string, string>): Promise<T> {
  const url = `${URL_OF}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  const body = (await answer.json()) as { status: string; error?: string; data: T }
  if (body.status !== 'success') throw new Error(`${parameters.query ?? path}: ${body.error}`)
  return body.data
}

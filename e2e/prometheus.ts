/** Client of the HTTP API of the cluster's Prometheus. */

const PROMETHEUS_URL = process.env.PROMETHEUS_URL ?? 'http://127.0.0.1:30090'
const TIMEOUT_MS = 20_000

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  /** Seconds since the epoch, and a number as a string. */
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

/** The URL of Prometheus, or undefined if it is not ready. */
export async function findPrometheus(): Promise<string | undefined> {
  const isReady = await fetch(`${PROMETHEUS_URL}/-/ready`, {
    signal: AbortSignal.timeout(5_000),
  }).then(
    ({ ok }) => ok,
    () => false,
  )
  return isReady ? PROMETHEUS_URL : undefined
}

/** The current values of an expression. */
export async function query(expr: string): Promise<Series[]> {
  const { result } = await request<{
    result: { metric: Series['metric']; value: Series['values'][number] }[]
  }>('query', { query: expr })
  return result.map(({ metric, value }) => ({ metric, values: [value] }))
}

/** The values of an expression over the last `seconds`, one per `step` seconds. */
export async function queryRange(expr: string, seconds: number, step: number): Promise<Series[]> {
  const end = Date.now() / 1000
  const times = { start: String(end - seconds), end: String(end), step: String(step) }
  return (await request<{ result: Series[] }>('query_range', { query: expr, ...times })).result
}

/** The labels of the exemplars of a series in the last `seconds`. */
export async function exemplarsOf(series: string, seconds: number) {
  const end = Date.now() / 1000
  const times = { start: String(end - seconds), end: String(end) }
  const found = await request<{ exemplars: { labels: Series['metric'] }[] }[]>('query_exemplars', {
    query: series,
    ...times,
  })
  return found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels))
}

/** The values of a label in matching series. */
export function labelValues(series: string, label: string): Promise<string[]> {
  return request<string[]>(`label/${label}/values`, { 'match[]': series })
}

/** The rules in groups whose name starts with the namespace. */
export async function rulesOf(namespace: string): Promise<Rule[]> {
  const { groups } = await request<{ groups: { name: string; rules: Rule[] }[] }>('rules', {})
  return groups.filter(({ name }) => name.startsWith(`${namespace}-`)).flatMap(({ rules }) => rules)
}

/** @throws Error with the error message of Prometheus */
async function request<T>(path: string, parameters: Record<string, string>): Promise<T> {
  const url = `${PROMETHEUS_URL}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  const body = (await response.json()) as { status: string; error?: string; data: T }
  if (body.status !== 'success') throw new Error(`${parameters.query ?? path}: ${body.error}`)
  return body.data
}

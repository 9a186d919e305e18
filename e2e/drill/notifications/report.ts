import { duplicates, type Evidence } from '../../notifications/verdict.ts'
import { seconds, table, updateSection } from '../docs-page.ts'
import { measuredOn } from '../reliability.ts'

/** The results of a row with notifications. */
export interface Row {
  readonly title: string
  readonly events: number
  readonly tries: number
  readonly duplicates: number
  /** How many deliveries are in each state at the end. */
  readonly states: ReadonlyMap<string, number>
  /** From the fault until the platform was stable. */
  readonly faultMs: number
}

const HEAD = ['fault', 'stable after', 'events', 'tries', 'repeated after 2xx', 'deliveries']

export function figuresOf({
  events,
  deliveries,
  endpoints,
}: Evidence): Omit<Row, 'title' | 'faultMs'> {
  const owners = new Set(endpoints.map(({ ownerId }) => ownerId))
  const sum = (of: (endpoint: Evidence['endpoints'][number]) => number) =>
    endpoints.reduce((total, endpoint) => total + of(endpoint), 0)
  return {
    events: events.filter(({ ownerId }) => owners.has(ownerId)).length,
    tries: sum(({ tries }) => tries.length),
    duplicates: sum(({ tries }) => duplicates(tries)),
    states: statesOf(deliveries),
  }
}

export function statesOf(deliveries: Evidence['deliveries']): ReadonlyMap<string, number> {
  const groups = Map.groupBy(deliveries, ({ state }) => state)
  return new Map([...groups].map(([state, own]) => [state, own.length]))
}

export function textOf(rows: readonly Row[]): string {
  return table(HEAD, rows.map(cellsOf))
}

function cellsOf(row: Row): string[] {
  const states = [...row.states].map(([state, count]) => `${state} ${count}`).toSorted()
  const counts = [row.events, row.tries, row.duplicates].map(String)
  return [row.title, seconds(row.faultMs), ...counts, states.join(', ')]
}

export async function writeRows(rows: readonly Row[]): Promise<void> {
  await updateSection('reliability.md', 'notifications', `${await measuredOn()}\n\n${textOf(rows)}`)
}

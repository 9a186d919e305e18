import { seconds, table, updateSection } from '../docs-page.ts'
import { measuredOn } from '../reliability.ts'
import type { Figures } from './settling.ts'
import { BOUND_MS, LEASE_SECONDS, PAUSE_MAX_SECONDS, QUERY_MAX_SECONDS } from './settings.ts'

/** The results of a row with payments at the simulator. */
export interface Row extends Omit<Figures, 'late'> {
  readonly title: string
  /** How many attempts were in each state when the fault began. */
  readonly states: ReadonlyMap<string, number>
  /** From the fault until the platform was stable. */
  readonly faultMs: number
}

const HEAD = [
  'fault',
  'payments',
  'attempts at the fault',
  'stable after',
  'SUCCESS',
  'FAILED',
  'need an operator',
  'longest time to be settled',
  'lost calls',
]

export function textOf(rows: readonly Row[]): string {
  return table(HEAD, rows.map(cellsOf))
}

function cellsOf(row: Row): string[] {
  const states = [...row.states].map(([state, count]) => `${state} ${count}`).toSorted()
  return [
    row.title,
    String(row.payments),
    states.join(', '),
    seconds(row.faultMs),
    String(row.succeeded),
    String(row.failed),
    String(row.flagged),
    seconds(row.longestMs),
    String(row.lostCalls),
  ]
}

/** The longest time to be settled that is allowed. */
export function boundText(): string {
  const lease = `lease ${LEASE_SECONDS} s after the timeout of a call`
  const others = `longest pause of the circuit ${PAUSE_MAX_SECONDS} s, interval of queries ${QUERY_MAX_SECONDS} s`
  return `${lease}, ${others}: payments must be settled within ${BOUND_MS / 1_000} s`
}

export async function writeRows(rows: readonly Row[]): Promise<void> {
  const text = `${await measuredOn()} Values: ${boundText()}.\n\n${textOf(rows)}`
  await updateSection('reliability.md', 'providers', text)
}

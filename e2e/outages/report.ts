import { cpus, loadavg } from 'node:os'
import { seconds, table, updateSection } from '../drill/docs-page.ts'
import type { Measurement } from './evaluate.ts'

const HEAD = [
  'outage',
  'requests',
  'worst answer',
  '503',
  'other errors',
  'lost',
  'doubled',
  'out of order',
  'revoked accepted',
  'valid refused',
  'recovery',
  'connections/s',
  'log lines',
  'verdict',
]

export function rows(measurements: readonly Measurement[]): string {
  const cells = measurements.map((row) => [
    row.name,
    `${row.requests}`,
    seconds(row.worstMs),
    `${row.unavailable}`,
    `${row.wrong}`,
    `${row.lost}`,
    `${row.doubled}`,
    `${row.outOfOrder}`,
    `${row.revokedAccepted} of ${row.revokedUses}`,
    `${row.validRefused}`,
    seconds(row.recoveryMs),
    row.connectionRate.toFixed(1),
    `${row.warnings}`,
    row.problems.length === 0 ? 'passed' : 'FAILED',
  ])
  return table(HEAD, cells)
}

/** Writes the table into docs/reliability.md. */
export async function writeReport(measurements: readonly Measurement[], waitMs: number) {
  const day = new Date().toISOString().slice(0, 10)
  const requests = measurements.reduce((sum, row) => sum + row.requests, 0)
  const uses = measurements.reduce((sum, row) => sum + row.revokedUses, 0)
  const text =
    `Measured ${day} with \`DB_WAIT_MS\` of ${waitMs} ms except where the row names another, on ${cpus().length} cores ` +
    `shared with the clients, load average ${loadavg()[1]?.toFixed(0)}: ${measurements.length} outages, ` +
    `${requests} requests, ${uses} of them with revoked tokens.`
  await updateSection(
    'reliability.md',
    'outages',
    `${text}\n\n${rows(measurements)}`,
    'make outages',
  )
}

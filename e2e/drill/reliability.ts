import { cpus, loadavg } from 'node:os'
import { run } from '../cluster.ts'
import { seconds, table, updateSection } from './docs-page.ts'
import type { Measurement } from './measurement.ts'

const PAGE = 'reliability.md'

/** Writes the results of the faults into docs/reliability.md. */
export async function writeFaults(rows: Measurement[]) {
  const head = ['fault', 'requests', 'failed', 'failed after one retry', 'longest response']
  const cells = rows.map((row) => [
    row.title,
    `${row.requests}`,
    `${row.failed}`,
    `${row.failedAfterRetry}`,
    seconds(row.longestMs),
    seconds(row.writeGapMs),
    seconds(row.stableAfterMs),
    `${row.logouts.logouts}`,
    `${row.logouts.lastAcceptedMs} ms`,
    row.passed ? 'passed' : 'FAILED',
  ])
  const times = ['longest write gap', 'stable after']
  const columns = [...head, ...times, 'logouts', 'revoked token last accepted after', 'verdict']
  await updateSection(PAGE, 'faults', `${await measuredOn()}\n\n${table(columns, cells)}`)
}

/** A sentence on when and where the figures were measured. */
export async function measuredOn(): Promise<string> {
  const nodes = JSON.parse(await run('kubectl', ['get', 'nodes', '--output=json'])) as {
    items: { status: { nodeInfo: { kubeletVersion: string } } }[]
  }
  const version = nodes.items[0]?.status.nodeInfo.kubeletVersion
  const day = new Date().toISOString().slice(0, 10)
  const size = `${nodes.items.length} node(s), ${cpus().length} cores shared with the clients`
  // Over five minutes; far above the number of cores, it shows that the machine had other work.
  const load = loadavg()[1]?.toFixed(0)
  return `Measured ${day} on Kubernetes ${version}, ${size}, load average ${load}.`
}

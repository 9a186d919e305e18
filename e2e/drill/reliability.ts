import { cpus, loadavg } from 'node:os'
import { run } from '../cluster.ts'
import { seconds, table, writeInto } from './page.ts'
import type { Row } from './row.ts'

const PAGE = 'reliability.md'

/** Writes what the faults did into the page for people. */
export async function writeFaults(rows: Row[]) {
  const head = ['what happens', 'requests', 'failed', 'failed after one retry', 'longest answer']
  const cells = rows.map((row) => [
    row.what,
    `${row.requests}`,
    `${row.failed}`,
    `${row.failedAgain}`,
    seconds(row.longestMs),
    seconds(row.gapMs),
    seconds(row.steadyAfterMs),
    `${row.leaving.logouts}`,
    `${row.leaving.takenMs} ms`,
    row.passed ? 'passed' : 'FAILED',
  ])
  const times = ['writes stood still', 'all as before after']
  const columns = [...head, ...times, 'logouts', 'a token last taken after', 'verdict']
  await writeInto(PAGE, 'faults', `${await measuredOn()}\n\n${table(columns, cells)}`)
}

/** What the figures are of. */
export async function measuredOn(): Promise<string> {
  const nodes = JSON.parse(await run('kubectl', ['get', 'nodes', '--output=json'])) as {
    items: { status: { nodeInfo: { kubeletVersion: string } } }[]
  }
  const version = nodes.items[0]?.status.nodeInfo.kubeletVersion
  const day = new Date().toISOString().slice(0, 10)
  const size = `${nodes.items.length} node(s), ${cpus().length} cores that carry the clients as well`
  // Over the last five minutes; far above the number of cores it says that others were at work, too.
  const load = loadavg()[1]?.toFixed(0)
  return `Measured ${day} on Kubernetes ${version}, ${size}, load average ${load}.`
}

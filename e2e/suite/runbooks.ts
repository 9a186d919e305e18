import { readdir, readFile } from 'node:fs/promises'
import { check } from '../checks.ts'
import { run } from '../cluster.ts'
import { findPrometheus } from '../prometheus.ts'
import { type Platform, RELEASE } from './platform.ts'

/** Runs the read-only commands of every runbook on a healthy release. */

const FOLDER = new URL('../../docs/runbooks/', import.meta.url)
const COMMAND_TIMEOUT_MS = 240_000

export async function checkRunbooks({ namespace }: Platform) {
  const [preamble = ''] = blocks(await page('README.md'), 'preamble')
  const env = { NAMESPACE: namespace.name, RELEASE, PROMETHEUS: (await findPrometheus()) ?? '' }
  const pages = await readdir(FOLDER)
  for (const name of pages.toSorted()) {
    const commands = blocks(await page(name), 'see')
    if (commands.length === 0) continue
    await check(`runbooks: the commands of ${name} succeed`, async () => {
      for (const command of commands) {
        const script = ['set -euo pipefail', preamble, command].join('\n')
        await run('bash', ['-c', script], { env, timeoutMs: COMMAND_TIMEOUT_MS })
      }
      return `${commands.length} commands`
    })
  }
}

const page = (name: string) => readFile(new URL(name, FOLDER), 'utf8')

/** The code blocks with the info string `sh <kind>`, without the indentation of lists. */
function blocks(text: string, kind: string): string[] {
  const pattern = new RegExp(`^( *)\`\`\`sh ${kind}\\n([^]*?)^ *\`\`\`$`, 'gm')
  return [...text.matchAll(pattern)].map(([, indent = '', block = '']) =>
    block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  )
}

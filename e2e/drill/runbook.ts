import { join } from 'node:path'
import { run } from '../cluster.ts'
import { commandsOf } from './docs-page.ts'
import type { Source } from './install.ts'
import { RELEASE, namespace } from './release.ts'

export const RESTORE_RUNBOOK = 'runbooks/restore.md'
const COMMAND_TIMEOUT_MS = 600_000

/** Runs the commands of docs/runbooks/restore.md, each block in a new shell, with the drill's variables. */
export class Runbook {
  readonly variables: Record<string, string>
  private readonly commands = commandsOf(RESTORE_RUNBOOK)
  private readonly executed = new Set<string>()

  constructor({ charts }: Source) {
    this.variables = {
      NAMESPACE: namespace.name,
      RELEASE,
      CHART: join(charts, 'platform'),
      REPLICAS: '2',
      OLD_SUFFIX: '',
      NEW_SUFFIX: '-2',
      TARGET_TIME: '',
      RECOVERY_ID: 'restore-1',
      SINCE: '',
    }
  }

  /** Runs the block with this name. @returns its duration in ms */
  async run(name: string): Promise<number> {
    const commands = (await this.commands).get(name)
    if (commands === undefined) throw new Error(`${RESTORE_RUNBOOK} has no block ${name}`)
    this.executed.add(name)
    const since = Date.now()
    const options = { env: this.variables, timeoutMs: COMMAND_TIMEOUT_MS }
    await run('bash', ['-euo', 'pipefail', '-c', commands], options)
    return Date.now() - since
  }

  async assertAllExecuted() {
    const left = [...(await this.commands).keys()].filter((name) => !this.executed.has(name))
    if (left.length > 0) throw new Error(`not run: ${left.join(', ')}`)
  }
}

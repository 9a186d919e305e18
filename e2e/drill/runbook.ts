import { join } from 'node:path'
import { run } from '../cluster.ts'
import { commandsOf } from './page.ts'
import type { Source } from './platform.ts'
import { RELEASE, space } from './release.ts'

export const PAGE = 'runbooks/restore.md'
const COMMAND_TIMEOUT_MS = 600_000

/** Follows the page's commands, in a shell of its own each time, with the drill's variables. */
export class Page {
  readonly variables: Record<string, string>
  private readonly commands = commandsOf(PAGE)
  private readonly followed = new Set<string>()

  constructor({ charts }: Source) {
    this.variables = {
      NAMESPACE: space.name,
      RELEASE,
      CHART: join(charts, 'platform'),
      REPLICAS: '2',
      OLD_SUFFIX: '',
      NEW_SUFFIX: '-2',
      TARGET_TIME: '',
    }
  }

  /** Runs the block of this name, and gives how long it took, ms. */
  async follow(name: string): Promise<number> {
    const commands = (await this.commands).get(name)
    if (commands === undefined) throw new Error(`${PAGE} has no commands called ${name}`)
    this.followed.add(name)
    const since = Date.now()
    const options = { env: this.variables, timeoutMs: COMMAND_TIMEOUT_MS }
    await run('bash', ['-euo', 'pipefail', '-c', commands], options)
    return Date.now() - since
  }

  async leavesNothing() {
    const left = [...(await this.commands).keys()].filter((name) => !this.followed.has(name))
    if (left.length > 0) throw new Error(`not run: ${left.join(', ')}`)
  }
}

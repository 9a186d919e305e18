import { cp, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Namespace, run } from './cluster.ts'

/** Helm 3 or Helm 4, which differ in the names of some flags. */

/** Values that a suite sets in addition to values files. */
export type Values = Readonly<Record<string, unknown>>

const INSTALL_TIMEOUT_S = 240

export class Helm {
  readonly program: string
  readonly major: number

  constructor(program: string, major: number) {
    this.program = program
    this.major = major
  }

  /** The installed programs of `helm` and `helm4`, one for each major version. */
  static async all(): Promise<Helm[]> {
    const found = new Map<number, Helm>()
    for (const program of ['helm', 'helm4']) {
      const version = await run(program, ['version', '--short']).catch(() => '')
      const major = Number(/^v?(\d+)\./.exec(version)?.[1])
      if (major && !found.has(major)) found.set(major, new Helm(program, major))
    }
    return [...found.values()]
  }

  get name(): string {
    return `Helm ${this.major}`
  }

  /** Installs or upgrades, and waits until everything is ready. */
  async deploy(
    { name: namespace }: Namespace,
    release: string,
    chart: string,
    { files = [], values = {}, flags = [] }: DeployOptions = {},
  ): Promise<void> {
    const args = ['upgrade', '--install', release, chart, '--namespace', namespace, '--wait']
    const from = [...files.flatMap((file) => ['--values', file]), '--values', '-']
    const limit = flags.includes('--timeout') ? [] : ['--timeout', `${INSTALL_TIMEOUT_S}s`]
    await run(this.program, [...args, ...limit, ...flags, ...from], {
      input: JSON.stringify(values),
      timeoutMs: (INSTALL_TIMEOUT_S + 20) * 1000,
    })
  }

  /** The flag that rolls back an upgrade that does not become ready. */
  get rollbackFlag(): string {
    return this.major >= 4 ? '--rollback-on-failure' : '--atomic'
  }

  async uninstall({ name: namespace }: Namespace, release: string): Promise<void> {
    const args = ['uninstall', release, '--namespace', namespace, '--wait', '--timeout', '120s']
    await run(this.program, args, { timeoutMs: 130_000 })
  }

  /** `helm test`; if it fails, the error contains the logs of its pods. */
  async test(namespace: Namespace, release: string): Promise<void> {
    const args = ['test', release, '--namespace', namespace.name, '--timeout', '120s']
    try {
      await run(this.program, args, { timeoutMs: 150_000 })
    } catch (error) {
      const pods = '--selector=app.kubernetes.io/component=test'
      const logs = await namespace.kubectl(['logs', pods, '--prefix']).catch(String)
      throw new Error(logs, { cause: error })
    }
  }

  async status({ name: namespace }: Namespace, release: string): Promise<string> {
    const text = await run(this.program, [
      ...['status', release, '--namespace', namespace, '--output', 'json'],
    ])
    return (JSON.parse(text) as { info: { status: string } }).info.status
  }
}

export interface DeployOptions {
  readonly files?: readonly string[]
  readonly values?: Values
  readonly flags?: readonly string[]
}

/**
 * Packages the charts in a temporary folder, so that charts do not change during a suite; `change` may alter them
 * first.
 */
export async function packCharts(change?: (folder: string) => Promise<void>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'malipo-charts-'))
  await cp(new URL('../charts', import.meta.url), folder, { recursive: true })
  await change?.(folder)
  await run(join(folder, 'update'), [])
  return folder
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from '@malipo/local/child'
import { findProgram } from '@malipo/local/find-program'
import { freePort } from '@malipo/local/free-port'

export interface Sentinel {
  readonly port: number
  stop(): Promise<void>
}

/**
 * Starts a Sentinel on 127.0.0.1 and waits until it accepts connections.
 *
 * @param lines of its configuration, such as `sentinel monitor …`; `port` is a free port unless a line sets it
 */
export async function startSentinel(lines: readonly string[], port?: number): Promise<Sentinel> {
  const program = findProgram('redis-server', 'valkey-server')
  if (program === undefined)
    throw new Error('neither redis-server nor valkey-server is on the PATH')
  const listening = port ?? (await freePort())
  const folder = await mkdtemp(join(tmpdir(), 'malipo-sentinel-'))
  const file = join(folder, 'sentinel.conf')
  const own = [
    ...(port === undefined ? [`port ${listening}`] : []),
    'bind 127.0.0.1',
    `dir ${folder}`,
  ]
  await writeFile(file, [...own, ...lines, ''].join('\n'))
  const output: string[] = []
  const child = startChild({
    command: [program, file, '--sentinel'],
    env: { PATH: process.env.PATH },
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => void output.push(line),
  })
  while (child.running && !(await accepts(listening))) await sleep(20)
  if (!child.running) throw new Error(`the Sentinel did not start:\n${output.join('\n')}`)
  return {
    port: listening,
    async stop() {
      await child.end('SIGTERM', 5_000)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

/** Runs the machine's Redis or Valkey, if it has one, without persistence. */
import { tmpdir } from 'node:os'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from './child.js'
import { findProgram } from './find-program.js'
import { freePort } from './free-port.js'

export interface RedisOptions {
  /** Default: a free port. */
  port?: number
  /** The folder in which `SAVE` writes a snapshot for the next start; by default no snapshot is loaded. */
  dataDir?: string
  /** The address to listen on; default 127.0.0.1. */
  host?: string
  /** More settings of redis.conf, by name. */
  settings?: Readonly<Record<string, string>>
  onLine?: (line: string) => void
  onUnexpectedExit?: (exitCode: number) => void
}

export interface Redis {
  readonly port: number
  readonly url: string
  readonly stop: () => Promise<void>
  /** Sends SIGKILL: connections break, and data since the last snapshot is lost. */
  readonly kill: () => Promise<void>
  /** Stops the server if it is running, and starts it on the same port; only a snapshot's data survives. */
  readonly restart: () => Promise<void>
}

const LOOPBACK = '127.0.0.1'
const START_LIMIT_MS = 10_000
const STOP_LIMIT_MS = 10_000

/** Starts the server; returns undefined if neither redis-server nor valkey-server is on the PATH. */
export async function startRedis(options: RedisOptions = {}): Promise<Redis | undefined> {
  const program = findProgram('redis-server', 'valkey-server')
  if (program === undefined) return undefined
  const port = options.port ?? (await freePort())
  const start = () => startServer(program, port, options)

  let server = await start()
  const stop = async () => void (await server.end('SIGTERM', STOP_LIMIT_MS))
  const kill = async () => void (await server.end('SIGKILL', STOP_LIMIT_MS))
  const restart = async () => {
    if (server.running) await stop()
    server = await start()
  }
  const { host = LOOPBACK } = options
  const url = `redis://${host.includes(':') ? `[${host}]` : host}:${port}`
  return { port, url, stop, kill, restart }
}

async function startServer(program: string, port: number, options: RedisOptions) {
  const output: string[] = []
  let started = false
  const child = startChild({
    command: [program, ...flags(port, options)],
    env: { PATH: process.env.PATH },
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => {
      options.onLine?.(line)
      if (output.length < 100) output.push(line)
    },
    onUnexpectedExit: (exitCode) => started && options.onUnexpectedExit?.(exitCode),
  })
  const deadline = Date.now() + START_LIMIT_MS
  while (child.running && Date.now() < deadline) {
    if (await accepts(port, options.host)) {
      started = true
      return child
    }
    await sleep(20)
  }
  await child.end('SIGKILL', STOP_LIMIT_MS)
  throw new Error(`${program} did not start on port ${port}:\n${output.join('\n')}`)
}

function flags(port: number, { dataDir, host = LOOPBACK, settings }: RedisOptions): string[] {
  const all: [string, string][] = [
    ['port', String(port)],
    ['bind', host],
    ['dir', dataDir ?? tmpdir()],
    ['dbfilename', dataDir === undefined ? `none-${port}.rdb` : 'dump.rdb'],
    // Snapshots and the append-only file are disabled, because Redis holds only copies of data.
    ['save', ''],
    ['appendonly', 'no'],
  ]
  const own = Object.entries(settings ?? {}).flatMap(([name, value]) => [
    `--${name}`,
    ...value.split(' '),
  ])
  return [...all.flatMap(([name, value]) => [`--${name}`, value]), ...own]
}

function accepts(port: number, host = LOOPBACK): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

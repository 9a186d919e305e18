/** Runs the built services as separate processes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { type Child, startChild } from './child.js'
import { freePort } from './free-port.js'

export type ServiceName = 'auth' | 'payments'
/** A folder of `services` with a built program. */
export type ProgramName = ServiceName | 'simulator'

export interface ServiceOptions {
  name: ProgramName
  /** The service's environment, in addition to PATH and similar variables; PORT defaults to a free port. */
  env: Record<string, string | undefined>
  /** The host of `url`; default 127.0.0.1. */
  host?: string
  onLine?: (line: string) => void
  /** Called when the service exits after its start without a call to `stop` or `kill`. */
  onUnexpectedExit?: (exitCode: number) => void
  /** Whether to wait for /health/ready; default true. */
  ready?: boolean
  /** How long to wait for readiness; default 30 s. */
  readyLimitMs?: number
}

export interface Service {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly exited: Promise<number>
  /** The last 10,000 lines of the service's output. */
  readonly output: () => string
  /** Sends SIGTERM and returns the exit code. After 30 s it sends SIGKILL, and the exit code is 137. */
  readonly stop: () => Promise<number>
  readonly kill: () => Promise<number>
}

const STOP_LIMIT_MS = 30_000
const READY_LIMIT_MS = 30_000
const MAX_LINES = 10_000

const services = join(import.meta.dirname, '../../../services')

export async function startService(options: ServiceOptions): Promise<Service> {
  const port = Number(options.env.PORT) || (await freePort())
  const url = `http://${options.host ?? '127.0.0.1'}:${port}`
  const lines: string[] = []
  let started = false
  const child = startChild({
    command: nodeCommand(options.name, 'main'),
    env: environment({ ...options.env, PORT: String(port) }),
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => {
      options.onLine?.(line)
      if (lines.push(line) > MAX_LINES) lines.shift()
    },
    onUnexpectedExit: (exitCode) => started && options.onUnexpectedExit?.(exitCode),
  })
  const output = () => lines.join('\n')
  if (options.ready ?? true) {
    const problem = await waitUntilReady(child, url, options.readyLimitMs ?? READY_LIMIT_MS)
    if (problem !== undefined) {
      await child.end('SIGKILL', STOP_LIMIT_MS)
      throw new Error(`${options.name} ${problem}:\n${output()}`)
    }
  }
  started = true
  return {
    url,
    port,
    pid: child.pid,
    exited: child.exited,
    output,
    stop: () => child.end('SIGTERM', STOP_LIMIT_MS),
    kill: () => child.end('SIGKILL', STOP_LIMIT_MS),
  }
}

export interface ScriptOptions {
  name: ProgramName
  /** The name of a file in the service's `dist`, without `.js`. */
  script: 'migrate' | (string & {})
  args?: readonly string[]
  env: Record<string, string | undefined>
  onLine?: (line: string) => void
}

/** Runs a script of a service until it exits, and returns its output. @throws if the exit code is not 0 */
export async function runToEnd(options: ScriptOptions): Promise<string> {
  const lines: string[] = []
  const child = startChild({
    command: [...nodeCommand(options.name, options.script), ...(options.args ?? [])],
    env: environment(options.env),
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => {
      options.onLine?.(line)
      lines.push(line)
    },
  })
  const exitCode = await child.exited
  const output = lines.join('\n')
  if (exitCode === 0) return output
  throw new Error(`${options.script} of ${options.name} exited with code ${exitCode}:\n${output}`)
}

function nodeCommand(name: ProgramName, script: string): string[] {
  // These flags limit resident memory to 280 MB. The first limits the old generation. Without the second,
  // the young generation could take up to 128 MB more.
  return [
    process.execPath,
    '--max-old-space-size=128',
    '--max-semi-space-size=8',
    join(services, name, 'dist', `${script}.js`),
  ]
}

/** The variables that services inherit. The others in the developer's shell have no effect on a service. */
const INHERITED = [
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'TMPDIR',
  'NODE_EXTRA_CA_CERTS',
  'NODE_V8_COVERAGE',
]

function environment(settings: Record<string, string | undefined>): NodeJS.ProcessEnv {
  const inherited = INHERITED.map((name) => [name, process.env[name]] as const)
  const all = [...inherited, ...Object.entries(settings)]
  return Object.fromEntries(all.filter(([, value]) => value !== undefined))
}

async function waitUntilReady(child: Child, url: string, limitMs: number) {
  const deadline = Date.now() + limitMs
  while (child.running) {
    if (Date.now() > deadline) return `was not ready within ${limitMs} ms`
    if (await isReady(url)) return undefined
    await sleep(100)
  }
  return `exited with code ${await child.exited} before it was ready`
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(1000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

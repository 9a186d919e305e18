/** Runs the built services as processes of their own, as an operator would. */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { type Child, startChild } from './child.js'
import { freePort } from './free-port.js'

export type ServiceName = 'auth' | 'payments'

export interface ServiceOptions {
  name: ServiceName
  /** All that the service sees besides PATH and the like; PORT defaults to a free one. */
  env: Record<string, string | undefined>
  onLine?: (line: string) => void
  /** Called when it ends, once started, although nobody asked it to. */
  onUnexpectedExit?: (exitCode: number) => void
  /** Whether to wait for /health/ready; default true. */
  ready?: boolean
  /** How long to wait for it; default 30 s. */
  readyLimitMs?: number
}

export interface Service {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly exited: Promise<number>
  /** The last lines that it wrote, 10 000 at most. */
  readonly output: () => string
  /** SIGTERM, and the exit code once it has ended; SIGKILL and 137 if it takes more than 30 s. */
  readonly stop: () => Promise<number>
  readonly kill: () => Promise<number>
}

const STOP_LIMIT_MS = 30_000
const READY_LIMIT_MS = 30_000
const KEPT_LINES = 10_000

const services = join(import.meta.dirname, '../../../services')

export async function startService(options: ServiceOptions): Promise<Service> {
  const port = Number(options.env.PORT) || (await freePort())
  const url = `http://127.0.0.1:${port}`
  const lines: string[] = []
  let started = false
  const child = startChild({
    command: nodeCommand(options.name, 'main'),
    env: environment({ ...options.env, PORT: String(port) }),
    lastSignal: 'SIGKILL',
    onLine: (line) => {
      options.onLine?.(line)
      if (lines.push(line) > KEPT_LINES) lines.shift()
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
  name: ServiceName
  /** A file of the service's dist without `.js`. */
  script: 'migrate' | (string & {})
  args?: readonly string[]
  env: Record<string, string | undefined>
  onLine?: (line: string) => void
}

/** Runs a script of a service to its end, and throws when it fails. Returns what it wrote. */
export async function runToEnd(options: ScriptOptions): Promise<string> {
  const lines: string[] = []
  const child = startChild({
    command: [...nodeCommand(options.name, options.script), ...(options.args ?? [])],
    env: environment(options.env),
    lastSignal: 'SIGKILL',
    onLine: (line) => {
      options.onLine?.(line)
      lines.push(line)
    },
  })
  const exitCode = await child.exited
  const output = lines.join('\n')
  if (exitCode === 0) return output
  throw new Error(`${options.name}'s ${options.script} ended with ${exitCode}:\n${output}`)
}

function nodeCommand(name: ServiceName, script: string): string[] {
  // One process is to stay under 200 MB of resident memory. The first limit is of objects that live on;
  // without the second, new ones may take up to 128 MB beside them.
  return [
    process.execPath,
    '--max-old-space-size=128',
    '--max-semi-space-size=8',
    join(services, name, 'dist', `${script}.js`),
  ]
}

/** What belongs to the machine passes; settings of a service that the shell happens to have don't. */
const INHERITED = [
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'TMPDIR',
  'NODE_EXTRA_CA_CERTS',
  'NODE_V8_COVERAGE',
]

function environment(own: Record<string, string | undefined>): NodeJS.ProcessEnv {
  const inherited = INHERITED.map((name) => [name, process.env[name]] as const)
  const all = [...inherited, ...Object.entries(own)]
  return Object.fromEntries(all.filter(([, value]) => value !== undefined))
}

async function waitUntilReady(child: Child, url: string, limitMs: number) {
  const until = Date.now() + limitMs
  while (child.running) {
    if (Date.now() > until) return `was not ready within ${limitMs} ms`
    if (await isReady(url)) return undefined
    await sleep(100)
  }
  return `ended with ${await child.exited} before it was ready`
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(1000) })
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false
  }
}

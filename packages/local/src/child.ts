/**
 * Every process that this package starts goes through here, so that none outlives the one that
 * started it: not after an exception, not after Ctrl-C and, on Linux, not even after SIGKILL.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProgram } from './find-program.js'

export interface ChildOptions {
  /** The program and its arguments. */
  command: readonly string[]
  env?: NodeJS.ProcessEnv
  /** Arguments for setpriv(1) that say as whom the program runs; without them: as the caller. */
  runAs?: readonly string[]
  /** What the child gets when its parent ends without having stopped it. */
  lastSignal: NodeJS.Signals
  /** Called with each line of standard output and of standard error. */
  onLine?: (line: string) => void
  /** Called when the process ends although nobody asked it to. */
  onUnexpectedExit?: (exitCode: number) => void
}

export interface Child {
  readonly pid: number
  readonly running: boolean
  /** The exit code once the process has ended and all it wrote is read; 128 + n for signal n. */
  readonly exited: Promise<number>
  /** Sends the signal and waits for the end; after `limitMs` SIGKILL makes it one. */
  readonly end: (signal: NodeJS.Signals, limitMs: number) => Promise<number>
}

const alive = new Map<ChildProcess, NodeJS.Signals>()

export function startChild(options: ChildOptions): Child {
  endTogether()
  const command = [...setpriv(options), ...options.command]
  const child = spawn(command[0]!, command.slice(1), {
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A session of its own: Ctrl-C in a terminal goes to the parent alone, which stops its
    // children in the right order.
    detached: true,
  })
  alive.set(child, options.lastSignal)
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => options.onLine?.(line))
  }

  let running = true
  let asked = false
  const exited = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) finish(127, `${command[0]}: ${error.message}`)
    })
    child.once('close', (code, signal) => finish(code ?? 128 + constants.signals[signal!]))
    function finish(exitCode: number, line?: string) {
      running = false
      alive.delete(child)
      if (line !== undefined) options.onLine?.(line)
      if (!asked) options.onUnexpectedExit?.(exitCode)
      resolve(exitCode)
    }
  })

  async function end(signal: NodeJS.Signals, limitMs: number): Promise<number> {
    asked = true
    child.kill(signal)
    const timer = new AbortController()
    const late = sleep(limitMs, undefined, { signal: timer.signal }).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    )
    const exitCode = await exited
    timer.abort()
    await late
    return exitCode
  }

  return {
    pid: child.pid ?? -1,
    get running() {
      return running
    },
    exited,
    end,
  }
}

/** On Linux setpriv asks the kernel to signal the child when its parent dies, however it dies. */
function setpriv({ runAs = [], lastSignal }: ChildOptions): string[] {
  const program = process.platform === 'linux' ? findProgram('setpriv') : undefined
  if (program !== undefined) {
    return [program, '--pdeathsig', lastSignal.replace('SIG', ''), ...runAs, '--']
  }
  if (runAs.length > 0) throw new Error('setpriv (of util-linux) is not on the PATH')
  return []
}

let prepared = false

/** Ends the children with this process where the kernel does not do it. */
function endTogether() {
  if (prepared) return
  prepared = true
  process.once('exit', () => {
    for (const [child, signal] of alive) killGroup(child, signal)
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // Listening takes away the signal's default effect, so where nobody else listens it is given
    // back. Someone else who listens (`make up`, vitest) decides alone.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal])
    })
  }
}

/** The child is the leader of its group, which is where programs that it runs itself are. */
function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals) {
  try {
    if (pid !== undefined) process.kill(-pid, signal)
  } catch {
    // It has just ended by itself.
  }
}
